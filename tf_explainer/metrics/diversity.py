"""Diversity: how many parts a set of filters stands for, and which filters share one."""

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
_IMMOVABLE = 1e-12


def independent_parts(places: np.ndarray, live: np.ndarray) -> float:
    """Counts the parts that move on their own.

    The participation ratio `(sum l)^2 / sum l^2` of the eigenvalues l of the covariance, over images, of the
    filters' peak coordinates, divided by 2: a rigid constellation that moves freely over the plane gives 1, M
    parts that move independently give M, and one that moves along a line only gives 1/2. Where a filter is
    silent its peak is taken to be at its mean place: it adds no movement, and the others keep the image.

    Args:
        places: `[N, F, 2]`, where each filter peaks.
        live: `[N, F]` bool, where it responds at all.

    Returns:
        In [0, F]; 0 where there is no filter or nothing moves.
    """
    count = np.maximum(live.sum(axis=0), 1)[:, None]
    mean = np.where(live[..., None], places, 0.0).sum(axis=0) / count
    moves = np.where(live[..., None], places - mean, 0.0).reshape(len(places), 2 * places.shape[1])
    # tr(C)^2 / ||C||^2 needs no eigenvalues, and the smaller of the two Gram matrices has the same.
    gram = moves.T @ moves if moves.shape[1] <= len(moves) else moves @ moves.T
    total, squares = np.trace(gram), (gram**2).sum()
    return float(total**2 / squares / 2) if total > _IMMOVABLE else 0.0


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
