"""Sample variances over a choice of images that differs from filter to filter."""

from __future__ import annotations

import numpy as np


def variance(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes each filter's variance over the images it keeps, n - 1 in the denominator.

    Args:
        values: `[N, F]`, or anything that broadcasts to it.
        kept: `[N, F]` bool.

    Returns:
        `[F]` float64; NaN where fewer than two images are kept.
    """
    count = kept.sum(axis=0)
    mean = np.where(kept, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(kept, values - mean, 0.0) ** 2).sum(axis=0)
    return np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)


def total_variance(points: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes the trace of each filter's covariance matrix over the images it keeps.

    Args:
        points: `[N, F, 2]`, or anything that broadcasts to it.
        kept: `[N, F]` bool.

    Returns:
        `[F]` float64; NaN where fewer than two images are kept.
    """
    return variance(points[..., 0], kept) + variance(points[..., 1], kept)
