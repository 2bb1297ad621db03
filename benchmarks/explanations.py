"""Measures the step of `pipelines.explain_images` against one pass of both networks (docs/performance.md).

python -m benchmarks.explanations WORKDIR [PHOTOGRAPHS] [--size=64] [--batch=32] [--rounds=3]

Both run in this process, in turn: from files to lines of JSON, and from files to the networks' outputs.
Starting up, loading the networks, and Beam's work between the steps are left out.
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
from pipelines.image_explanations import named_images
from pipelines.image_explanations.image_explanation import ExplainBatch
from pipelines.image_explanations.job import ExplanationJob, prepare
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
from tf_explainer.features.manifest import read_manifest
from tf_explainer.images.crop import crop_to_object

METHODS: tuple[Literal["integrated_gradients", "gradient_x_activation"], ...] = (
    "integrated_gradients",
    "gradient_x_activation",
)


def step_of(workdir: WorkDir, batch: int, attribution: AttributionConfig) -> ExplainBatch:
    """Returns the job's step, ready to process."""
    manifest = read_manifest(workdir.features)
    job = ExplanationJob(
        workdir=workdir,
        performer=PerformerConfig(
            image_size=manifest.image_size,
            target_layer=manifest.target.name,
            distilled_layers=tuple(layer.name for layer in manifest.distilled),
        ),
        attribution=attribution,
        explanation=ExplanationConfig(),
        file=ExplanationFileConfig(),
        extraction=ExtractionConfig(batch_size=batch),
        beam_options=(),
    )
    step = ExplainBatch(prepare(job, output=""))
    step.setup()
    return step


def explain(step: ExplainBatch, batches: Sequence[Sequence[str]]) -> None:
    """Explains all images."""
    for paths in batches:
        list(step.process(paths))


def bare(run: FinishedRun, features: keras.Model, batches: Sequence[Sequence[str]]) -> None:
    """Runs the performer's `feature_model` on all images once, and the explainer on the features."""
    config = run.performer.config
    for paths in batches:
        crops = []
        for _, result in named_images.read(paths):
            if isinstance(result, UnreadableImageError):
                raise result
            crops.append(crop_to_object(result, config.image_size))
        maps = features.predict_on_batch(np.stack(crops))[config.target_layer]
        run.explainer.predict_on_batch(maps.astype(np.float32))


def measured(workdir: str, images: Sequence[str], batch: int, rounds: int) -> dict[str, Cost]:
    """Returns the cost of all images, by name."""
    batches = [images[first : first + batch] for first in range(0, len(images), batch)]
    run = load_run(workdir)
    works = {"one pass": functools.partial(bare, run, run.performer.feature_model(), batches)}
    for method in METHODS:
        step = step_of(WorkDir(root=workdir), batch, AttributionConfig(method=method))
        works[method] = functools.partial(explain, step, batches)
    return costs(works, rounds)


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workdir", help="work directory of a finished run")
    parser.add_argument("photographs", nargs="?", help="folder of .JPEG files; default: pictures are drawn")
    parser.add_argument("--size", type=int, default=64, help="number of images")
    parser.add_argument("--batch", type=int, default=32, help="images that the networks see at once")
    parser.add_argument("--rounds", type=int, default=3, help="number of measured rounds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        drawn, named = pathlib.Path(directory, "drawn"), options.photographs or f"{directory}/none"
        images = photographs.originals(drawn, pathlib.Path(named))[: options.size]
        taken = measured(options.workdir, list(map(str, images)), options.batch, options.rounds)
    reference = taken["one pass"]
    sys.stdout.write("| | ms of CPU an image | one pass / it, by CPU time | by the clock |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: |\n")
    for name, cost in taken.items():
        milliseconds = f"{1000 * cost.cpu / len(images):.1f}"
        ratios = f"{reference.cpu / cost.cpu:.2f} | {reference.clock / cost.clock:.2f}"
        sys.stdout.write(f"| {name.replace('_', ' ')} | {milliseconds} | {ratios} |\n")


if __name__ == "__main__":
    main()
