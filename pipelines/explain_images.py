r"""Explains many images by a finished run: a line of JSON for each explanation, no pictures.

python -m pipelines.explain_images --flagfile=configs/vgg.flags --image='photos/*.jpg' \
  --explanations_file=explained.jsonl

Any option of Apache Beam may follow, as for `pipelines.extract_features`. (`python -m tf_explainer.explain`
also draws a picture of each image.)
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import job_flags
from tf_explainer.command_line import entry_point, flags


def main(arguments: Sequence[str]) -> None:
    """Explains the images, and prints how many could and could not be explained."""
    from pipelines.image_explanations import job

    settings = job.ExplanationJob(
        workdir=flags.workdir(),
        performer=flags.performer(),
        attribution=flags.attribution(),
        explanation=flags.explanation(),
        file=flags.explanation_file(),
        extraction=flags.extraction(),
        beam_options=job_flags.beam_options(arguments),
    )
    job.run(settings, print)


def run() -> None:
    """The console script tf-explainer-explain-images."""
    entry_point.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
