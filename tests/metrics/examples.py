"""Small random layers for the tests of the measures."""

from __future__ import annotations

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.layer_measures import Annotations
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.peaks import Peaks

SIDE = 6
GRID = UnitGrid(side=SIDE, first=0.1, spacing=0.15, extent=0.3)


def random_maps(images: int, filters: int, seed: int = 0) -> np.ndarray:
    """Maps whose filters are dead (0), respond once (1), tie (2), or respond now and then; `[N, L, L, F]`."""
    random = np.random.default_rng(seed)
    maps = np.maximum(random.normal(-1.0, 1.0, (images, SIDE, SIDE, filters)), 0).astype(np.float32)
    silent = random.random((images, 1, 1, filters)) < 0.3
    maps = np.where(silent, 0, maps)
    maps[..., 0] = 0
    maps[1:, ..., 1] = 0
    maps[0, 2, 3, 1] = 1.0
    maps[..., 2] = np.round(maps[..., 2])
    return maps


def random_landmarks(images: int, landmarks: int, seed: int = 0) -> np.ndarray:
    """`[N, K, 4]`, a third of them not annotated."""
    random = np.random.default_rng(seed + 1)
    rows = random.uniform(0.2, 0.8, (images, landmarks, 4)) * (1, 1, 0.6, 0.6)
    rows[random.random((images, landmarks)) < 1 / 3] = np.nan
    return rows


def annotations(landmarks: np.ndarray, labels=None, categories=("fox",), held_out=None) -> Annotations:
    images = len(landmarks)
    return Annotations(
        categories=tuple(categories),
        landmark_names=("head", "legs", "tail")[: landmarks.shape[1]],
        labels=np.zeros(images, int) if labels is None else labels,
        landmarks=landmarks,
        held_out=np.zeros(images, bool) if held_out is None else held_out,
    )


def peaks_and_regions(maps: np.ndarray, batch: int = 7):
    """What evaluation collects from maps that go by in batches."""
    strongest = StrongestUnits(len(maps), maps.shape[1] * maps.shape[2], maps.shape[3])
    peaks = []
    for start in range(0, len(maps), batch):
        strongest.add(maps[start : start + batch])
        peaks.append(Peaks.of(maps[start : start + batch]))
    return Peaks.joined(peaks), strongest.regions()
