r"""Trains the performer: a head on a pre-trained backbone, or the whole network (step 1).

python -m tf_explainer.train_performer --flagfile=configs/vgg.flags
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tqdm

from tf_explainer import flags
from tf_explainer.errors import UserError


def main(arguments: Sequence[str]) -> None:
    """Trains, showing a bar for each stage, and prints the accuracy."""
    del arguments
    workdir, dataset = flags.workdir(), flags.dataset()
    performer, training = flags.performer(), flags.performer_training()
    if performer.performer:
        raise UserError(f"--performer={performer.performer} is a performer already: there is none to be made")

    from tf_explainer.datasets.registry import open_source
    from tf_explainer.performer_training import existing_performer, train_performer

    overwrite = flags.extraction().overwrite
    report = None if overwrite else existing_performer(dataset, performer, training, workdir)
    if report:
        print(f"{workdir.performer} was made with these settings before and is kept.")
    else:
        bars = _Bars()
        report = train_performer(
            open_source(dataset),
            dataset=dataset,
            performer=performer,
            training=training,
            workdir=workdir,
            progress=bars,
        )
        bars.close()
    print(report.table())
    print(f"The performer is {workdir.performer}")


class _Bars:
    """Shows one bar for each stage of the work."""

    def __init__(self) -> None:
        self._stage, self._bar = "", tqdm.tqdm(disable=True)

    def __call__(self, stage: str, done: int, total: int, measures: Mapping[str, float]) -> None:
        if stage != self._stage:
            self.close()
            self._stage, self._bar = stage, tqdm.tqdm(desc=stage, total=total)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in measures.items()}, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


def run() -> None:
    """The console script tf-explainer-train-performer."""
    flags.run(main)


if __name__ == "__main__":
    run()
