"""Bootstrap intervals of measures over images, and their chance level on permuted images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

LEVEL = 0.95

Measure = Callable[[np.ndarray], Mapping[str, Any]]


def bootstrap_intervals(
    measure: Measure, groups: np.ndarray, replicates: int, seed: int = 0
) -> dict[str, Any] | None:
    """Returns an interval for each figure, from measures on resampled images (percentile bootstrap).

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.

    Args:
        measure: returns a dictionary of figures, possibly nested, from the indices of images, which may
            repeat.
        groups: `[N]`, each image's group. An image is replaced only by images of its group, so that
            properties tied to the position of an image (such as which half it is in) stay the same.
        replicates: number of resamples; 0 for none.
        seed: seed of the resamples.

    Returns:
        The dictionary of figures, with each number replaced by `[low, high]`, the bounds of the central 95 %;
        NaN if a figure was never defined. None without replicates.
    """
    if not replicates:
        return None
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    figures = []
    for _ in range(replicates):
        resampled = np.empty(len(groups), int)
        for images in members:
            resampled[images] = random.choice(images, len(images))
        figures.append(measure(resampled))
    return _combined(figures, _bounds)


def permuted_null(measure: Measure, groups: np.ndarray, permutations: int, seed: int = 0) -> dict[str, Any]:
    """Measures permuted images: the chance level, which only the objects' typical position contributes to.

    Args:
        measure: returns figures from the indices `[N]` of the images that replace each image.
        groups: `[N]`, each image's group; images are permuted within their group.
        permutations: number of permutations, at least one.
        seed: seed of the permutations.

    Returns:
        The mean of each figure.
    """
    random = np.random.default_rng(seed)
    figures = []
    for _ in range(permutations):
        order = np.arange(len(groups))
        for group in np.unique(groups):
            images = np.flatnonzero(groups == group)
            order[images] = random.permutation(images)
        figures.append(measure(order))
    return _combined(figures, lambda values: float(np.mean(values)))


def _bounds(values: np.ndarray) -> list[float]:
    tail = 50 * (1 - LEVEL)
    return [float(bound) for bound in np.percentile(values, [tail, 100 - tail])]


def _combined(figures: Sequence[Mapping[str, Any]], combine: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """Combines the numbers at the same place of several nested dictionaries."""
    combined: dict[str, Any] = {}
    for name, first in figures[0].items():
        column = [figure[name] for figure in figures]
        if isinstance(first, Mapping):
            combined[name] = _combined([entry for entry in column if entry is not None], combine)
        elif isinstance(first, int | float) and not isinstance(first, bool):
            values = np.array(column, np.float64)
            values = values[~np.isnan(values)]
            combined[name] = combine(values) if len(values) else np.nan
    return combined
