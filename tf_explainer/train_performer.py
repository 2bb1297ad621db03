r"""Trains the performer: a head on a pre-trained backbone, or the whole network (step 1).

python -m tf_explainer.train_performer --flagfile=configs/vgg.flags
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tf_explainer.command_line import entry_point, flags
from tf_explainer.errors import UserError
from tf_explainer.progress_bar import Stages


def main(arguments: Sequence[str]) -> None:
    """Trains with a progress bar for each stage, and prints the accuracy."""
    del arguments
    workdir, dataset = flags.workdir(), flags.dataset()
    performer, training = flags.performer(), flags.performer_training()
    if performer.performer:
        raise UserError(f"--performer={performer.performer} is a performer already: none has to be trained")

    from tf_explainer.datasets import census
    from tf_explainer.datasets.registry import open_source
    from tf_explainer.performer.training import existing_performer, train_performer

    overwrite = flags.extraction().overwrite
    report = None if overwrite else existing_performer(dataset, performer, training, workdir)
    if report:
        print(f"{workdir.performer} was trained with these settings before and is kept.")
    else:
        source = open_source(dataset)
        if counted := census.of_folder(source):
            print("\n".join(counted.lines()))
        with Stages() as stages:

            def show(stage: str, done: int, total: int, measures: Mapping[str, float]) -> None:
                bar = stages.bar(stage, total)
                bar.set_postfix({name: f"{value:.3g}" for name, value in measures.items()}, refresh=False)
                bar.update(done - bar.n)

            report = train_performer(
                source,
                dataset=dataset,
                performer=performer,
                training=training,
                workdir=workdir,
                progress=show,
            )
    print(report.table())
    print(f"The performer is {workdir.performer}")
    print(entry_point.next_command("pipelines.extract_features"))


def run() -> None:
    """The console script tf-explainer-train-performer."""
    entry_point.run(main)


if __name__ == "__main__":
    run()
