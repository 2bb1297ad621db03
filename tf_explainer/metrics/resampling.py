"""How certain a measure is: bootstrap intervals over images, and the null of permuted images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

LEVEL = 0.95

Measure = Callable[[np.ndarray], Mapping[str, Any]]


def bootstrap_intervals(
    measure: Measure, groups: np.ndarray, replicates: int, seed: int = 0
) -> dict[str, Any] | None:
    """Measures resampled images, and returns between what bounds each figure lies (percentile bootstrap).

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.

    Args:
        measure: from the indices of images, with repetitions, to figures: a dictionary, nested at will.
        groups: `[N]`, each image's group; an image is replaced by one of its group, so that what belongs to
            places in the order of the images (which half is measured) stays.
        replicates: how many resamples; 0: none.
        seed: of the resamples.

    Returns:
        The figures' dictionary with `[low, high]`, the bounds of the central 95 %, in the place of each
        number, NaN where a figure was never defined; None without replicates.
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
    """Measures permuted images: the chance level, from the objects' typical position alone.

    Args:
        measure: from the image that takes each image's place, `[N]` indices, to figures.
        groups: `[N]`, each image's group; images change places within their group.
        permutations: how many, at least one.
        seed: of the permutations.

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


def _combined(figures: Iterable[Mapping[str, Any]], combine: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """Combines the numbers that stand at the same place of several dictionaries."""
    figures = list(figures)
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
