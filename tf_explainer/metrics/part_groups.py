"""Groups of filters that stand for one part: those that peak at the same place, image by image."""

from __future__ import annotations

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.peaks import Peaks

SAME_PART = 0.1
"""Filters of a group are closer than this on average, in sides of the crop, or than one unit."""
_MOST_GROUPS = 40
_FAR = 2.0  # sides of the crop: filters that never respond together


def part_groups(peaks: Peaks, grid: UnitGrid) -> np.ndarray:
    """Groups filters by average linkage of the distances between their peaks.

    Args:
        peaks: of F filters on N images.
        grid: where the units look.

    Returns:
        `[F]` int: the group, 0 being the largest, at most 40 of them; -1 for filters that are dead or share
        their place with no other.
    """
    groups = np.full(peaks.values.shape[1], -1)
    live = np.flatnonzero(~peaks.dead)
    if len(live) < 2:
        return groups
    alive = peaks.select(np.arange(len(peaks.values)), live)
    apart = peak_distances(grid.centres(alive.units), alive.values)
    tree = hierarchy.linkage(distance.squareform(apart, checks=False), "average")
    found = hierarchy.fcluster(tree, max(SAME_PART, grid.spacing), "distance")
    names, members = np.unique(found, return_counts=True)
    largest_first = names[np.argsort(-members, kind="stable")]
    for rank, name in enumerate(largest_first[: min(_MOST_GROUPS, (members > 1).sum())]):
        groups[live[found == name]] = rank
    return groups


def peak_distances(places: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Computes the root mean square distance between two filters' peaks.

    Images count by the product of the two responses, so that what neither responds to does not count.

    Args:
        places: `[N, F, 2]`, where each filter peaks.
        strength: `[N, F]`, how much each response counts, non-negative.

    Returns:
        `[F, F]` float64 in sides of the crop; 2 for filters that never respond together.
    """
    weight = np.sqrt(strength / np.maximum(strength.max(axis=0), 1e-12)).astype(np.float64)
    squares = weight * (places**2).sum(axis=-1)
    crossed = sum((weight * places[..., axis]).T @ (weight * places[..., axis]) for axis in range(2))
    total = squares.T @ weight + weight.T @ squares - 2 * crossed
    together = weight.T @ weight
    apart = np.sqrt(np.maximum(total, 0) / np.where(together > 0, together, 1))
    apart = np.where(together > 0, apart, _FAR)
    np.fill_diagonal(apart, 0)
    return apart
