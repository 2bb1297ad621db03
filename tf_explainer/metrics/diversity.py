"""Diversity: how many different parts a set of filters detects, and which filters share a part."""

from __future__ import annotations

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.peaks import Peaks

SAME_PART = 0.1
"""Largest average distance between filters of a group, in sides of the crop; at least one unit."""
_MOST_GROUPS = 40
_FAR = 2.0  # distance of filters that never respond together, in sides of the crop
_IMMOVABLE = 1e-12


def independent_parts(places: np.ndarray, live: np.ndarray) -> float:
    """Counts the parts that move independently.

    The count is half the participation ratio `(sum l)^2 / sum l^2`, with l the eigenvalues of the covariance
    of the filters' peak coordinates over images. A rigid constellation of peaks that moves freely over the
    plane gives 1, M parts that move independently give M, and a part that moves only along a line gives 1/2.
    A filter that is silent on an image is placed at its mean position there, so that it adds no movement.

    Args:
        places: `[N, F, 2]`, the positions of the filters' peaks.
        live: `[N, F]` bool, whether the filter responds to the image.

    Returns:
        A number in [0, F]; 0 if there are no filters or nothing moves.
    """
    count = np.maximum(live.sum(axis=0), 1)[:, None]
    mean = np.where(live[..., None], places, 0.0).sum(axis=0) / count
    moves = np.where(live[..., None], places - mean, 0.0).reshape(len(places), 2 * places.shape[1])
    # tr(C)^2 / ||C||^2 needs no eigenvalues, and is the same for the smaller of the two Gram matrices.
    gram = moves.T @ moves if moves.shape[1] <= len(moves) else moves @ moves.T
    total, squares = np.trace(gram), (gram**2).sum()
    return float(total**2 / squares / 2) if total > _IMMOVABLE else 0.0


def part_groups(peaks: Peaks, grid: UnitGrid) -> np.ndarray:
    """Groups filters by average linkage of the distances between their peaks.

    Args:
        peaks: peaks of F filters on N images.
        grid: positions of the units in the crop.

    Returns:
        `[F]` int: the number of the group, from 0 for the largest; at most 40 groups. -1 for filters that are
        dead or in no group with another filter.
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
    """Computes the root mean square distance between the peaks of each pair of filters.

    Images are weighted by the geometric mean of the two responses, so only images to which both respond
    count.

    Args:
        places: `[N, F, 2]`, the positions of the filters' peaks.
        strength: `[N, F]`, the filters' responses, non-negative.

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
