"""Diversity: how many parts a set of filters stands for."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics.peaks import Peaks

_IMMOVABLE = 1e-12


def distinct_peaks(peaks: Peaks) -> np.ndarray:
    """Counts, per image, the different units at which the filters peak; silent ones do not count.

    Args:
        peaks: of the filters in question.

    Returns:
        `[N]` int.
    """
    units = np.sort(np.where(peaks.live, peaks.units, -1), axis=1)
    new = np.diff(units, axis=1, prepend=-1) > 0
    return new.sum(axis=1)


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
