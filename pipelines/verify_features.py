r"""Checks stored features: the manifest, every checksum, every record. Exits with 1 if anything is broken.

python -m pipelines.verify_features --features_dir=runs/vgg_fox/features

With the flags of the extraction, records are also compared with the data set's images, and `--repair`
recomputes only what is broken; options of Apache Beam may follow, as for the extraction:

python -m pipelines.verify_features --flagfile=configs/vgg.flags --repair
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines import job_flags
from tf_explainer.command_line import entry_point, flags
from tf_explainer.errors import UserError

if TYPE_CHECKING:
    from pipelines.feature_set.verification import Problem


def main(arguments: Sequence[str]) -> None:
    """Prints a line for each problem, and repairs the features if requested."""
    from pipelines.dataflow import beam_options
    from pipelines.extraction import job
    from pipelines.feature_set import verification

    beam_options.check(arguments, list(flags.FLAGS))
    features_dir = flags.features_dir()
    problems = _print_problems(features_dir)
    if not problems:
        print(f"{features_dir} is complete and intact")
        return
    if not flags.verification().repair:
        raise UserError(
            f"{features_dir}: {len(problems)} problem{'s' if len(problems) > 1 else ''}; "
            "with the flags of the extraction, --repair recomputes only what is broken"
        )
    settings = job_flags.extraction_job(arguments)
    # Twice at most: without manifest and configuration, the other files cannot be checked at first.
    for _ in range(2):
        extraction, _performer = job.prepare(settings)
        verification.discard(features_dir, extraction.configuration, problems)
        job.run(settings, print)
        problems = _print_problems(features_dir)
        if not problems:
            print(f"{features_dir} is repaired: complete and intact")
            return
    raise UserError(f"{features_dir} is still broken: see above")


def _print_problems(features_dir: str) -> list[Problem]:
    from pipelines.feature_set import verification
    from tf_explainer.datasets.registry import open_source

    source = open_source(flags.dataset()) if flags.names_dataset() else None
    problems = []
    for problem in verification.verify(features_dir, source):
        print(f"{problem.file} {problem.what}", flush=True)
        problems.append(problem)
    return problems


def run() -> None:
    """The console script tf-explainer-verify-features."""
    entry_point.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
