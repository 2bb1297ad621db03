"""Measures how well the filters of a performer's own layer follow each landmark, before any explainer.

python -m benchmarks.raw_landmarks FEATURES [FEATURES ...]

`FEATURES` are directories written by `pipelines.extract_features`, with any `--target_layer`.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from tf_explainer.config import DatasetConfig
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.schema import LANDMARKS
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics import tracking
from tf_explainer.metrics.peaks import Peaks

_TOP_IMAGES = 100


def main(directories: Sequence[str]) -> None:
    """Prints a row for every landmark of every directory."""
    print("| features | landmark | images | best R | median R | filters with R < 0.5 |")  # noqa: T201
    print("| --- | --- | --- | --- | --- | --- |")  # noqa: T201
    for directory in directories:
        for row in rows(directory):
            print(row, flush=True)  # noqa: T201


def rows(directory: str) -> list[str]:
    """Measures R on the strongest images of each filter and landmark."""
    manifest = read_manifest(directory)
    features = Features(manifest=manifest, directory=directory, dataset=DatasetConfig(dataset="stored"))
    batches = list(_known(features))
    peaks = Peaks.joined(each for each, _ in batches)
    landmarks = np.concatenate([each for _, each in batches]).astype(np.float64)
    places = features.grid.centres(peaks.units)
    name = f"{pathlib.Path(directory).resolve().parent.name}, {manifest.target.name}"
    found = []
    for row, landmark in enumerate(manifest.landmarks):
        annotated = ~np.isnan(landmarks[:, row, 0])
        kept = peaks.select(np.flatnonzero(annotated)).strongest(_TOP_IMAGES)
        ratio = tracking.tracking_ratio(places[annotated], landmarks[annotated, row, :2], kept)
        best, median = np.nanmin(ratio), np.nanmedian(ratio)
        share = 100 * np.mean(ratio < tracking.TRACKS_BELOW)
        found.append(
            f"| {name} | {landmark} | {annotated.sum()} | {best:.2f} | {median:.2f} | {share:.1f} % |"
        )
    return found


def _known(features: Features) -> list[tuple[Peaks, np.ndarray]]:
    target = features.manifest.target.name
    return [
        (Peaks.of(batch[target].astype(np.float32)), batch[LANDMARKS])
        for batch in features.batches("all", negatives=False)
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
