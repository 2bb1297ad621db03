"""Measures `pipelines.explain_images` against one pass of performer and explainer (docs/performance.md).

python -m benchmarks.explanations WORKDIR [PHOTOGRAPHS] [--size=64] [--batch=32] [--rounds=3]

Both in this process, in turn, from files to numbers. The job's time is that of the images which a longer run
has more than a shorter one, so that loading the networks and starting up drop out.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

from benchmarks import photographs
from benchmarks.interleaving import Cost, costs
from pipelines.dataflow import beam_log
from pipelines.image_explanations import job, named_images
from pipelines.image_explanations.job import ExplanationJob
from tf_explainer.config import (
    AttributionConfig,
    ExplanationConfig,
    ExplanationFileConfig,
    ExtractionConfig,
    PerformerConfig,
    WorkDir,
)
from tf_explainer.datasets.source import UnreadableImageError
from tf_explainer.explanation.finished_run import FinishedRun, load_run
from tf_explainer.images.crop import crop_to_object

METHODS: tuple[Literal["integrated_gradients", "gradient_x_activation"], ...] = (
    "integrated_gradients",
    "gradient_x_activation",
)


def explain(run: FinishedRun, folder: str, batch: int, attribution: AttributionConfig) -> None:
    """Runs the job on all images of a folder."""
    config = run.performer.config
    workdir = run.workdir or WorkDir(root="")
    with tempfile.TemporaryDirectory() as directory:
        settings = ExplanationJob(
            workdir=workdir,
            performer=PerformerConfig(
                image_size=config.image_size,
                target_layer=config.target_layer,
                distilled_layers=config.distilled_layers,
            ),
            attribution=attribution,
            explanation=ExplanationConfig(images=(folder,)),
            file=ExplanationFileConfig(output=f"{directory}/explained.jsonl"),
            extraction=ExtractionConfig(batch_size=batch),
            beam_options=["--runner=FnApiRunner"],
        )
        job.run(settings, lambda line: None)  # noqa: ARG005


def bare(run: FinishedRun, features: keras.Model, paths: Sequence[str], batch: int) -> None:
    """Runs the performer on all images once, as its `feature_model`, and the explainer on its features."""
    config = run.performer.config
    for first in range(0, len(paths), batch):
        crops = []
        for _, result in named_images.read(paths[first : first + batch]):
            if isinstance(result, UnreadableImageError):
                raise result
            crops.append(crop_to_object(result, config.image_size))
        maps = features.predict_on_batch(np.stack(crops))[config.target_layer]
        run.explainer.predict_on_batch(maps.astype(np.float32))


def measured(run: FinishedRun, directory: pathlib.Path, options: argparse.Namespace) -> dict[str, Cost]:
    """Returns the costs of an image, by name."""
    named = pathlib.Path(options.photographs or directory / "none")
    images = photographs.originals(directory / "drawn", named)
    few, many = (
        photographs.folder(directory / str(count), images, count)
        for count in (options.size, 3 * options.size)
    )
    paths = named_images.paths([few])
    works = {"bare": functools.partial(bare, run, run.performer.feature_model(), paths, options.batch)}
    for method in METHODS:
        attribution = AttributionConfig(method=method)
        for length, folder in (("short", few), ("long", many)):
            works[f"{method}, {length}"] = functools.partial(explain, run, folder, options.batch, attribution)
    taken = costs(works, options.rounds)
    found = {"bare": _an_image(taken["bare"], options.size)}
    for method in METHODS:
        short, long = (taken[f"{method}, {length}"] for length in ("short", "long"))
        more = Cost(clock=long.clock - short.clock, cpu=long.cpu - short.cpu)
        found[method] = _an_image(more, 2 * options.size)
    return found


def _an_image(cost: Cost, images: int) -> Cost:
    return Cost(clock=cost.clock / images, cpu=cost.cpu / images)


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workdir", help="of a finished run")
    parser.add_argument("photographs", nargs="?", help="a folder of .JPEG files; drawn ones if none")
    parser.add_argument(
        "--size", type=int, default=64, help="images of a short run; a long one has three times"
    )
    parser.add_argument("--batch", type=int, default=32, help="images that the networks see at once")
    parser.add_argument("--rounds", type=int, default=3, help="that count")
    options = parser.parse_args()
    beam_log.quiet()
    with tempfile.TemporaryDirectory() as directory:
        taken = measured(load_run(options.workdir), pathlib.Path(directory), options)
    reference = taken["bare"]
    sys.stdout.write("| | ms of CPU an image | one pass / it, by CPU time | by the clock |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: |\n")
    for name, cost in taken.items():
        ratios = f"{reference.cpu / cost.cpu:.2f} | {reference.clock / cost.clock:.2f}"
        sys.stdout.write(f"| {name.replace('_', ' ')} | {1000 * cost.cpu:.1f} | {ratios} |\n")


if __name__ == "__main__":
    main()
