"""Landmark tracking: how closely a filter's peak moves with a landmark."""

from __future__ import annotations

import numpy as np

TRACKS_BELOW = 0.5
"""A filter tracks a landmark if its ratio is below this."""

_IMMOVABLE = 1e-12


def tracking_ratio(places: np.ndarray, landmark: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes `R_f = tr Cov(peak - landmark) / tr Cov(landmark)`.

    The ratio is exactly 1 for a filter that peaks at the same place on every image, 0 for a filter that
    follows the landmark at a fixed offset, and above 1 for a filter whose peak moves independently of it.

    Args:
        places: `[N, F, 2]`, the positions of the filters' peaks.
        landmark: `[N, 2]`, the positions of the landmark.
        kept: `[N, F]` bool, each filter's strongest images; both covariances are over these.

    Returns:
        `[F]` float64; NaN for filters with fewer than two images, or if the landmark is at the same place on
        all of them.
    """
    landmark = landmark[:, None]
    follows = _total_variance(places - landmark, kept)
    moves = _total_variance(landmark, kept)
    return follows / np.where(moves > _IMMOVABLE, moves, np.nan)


def lowest(ratios: np.ndarray) -> np.ndarray:
    """Returns `R_f = min_k R_fk`.

    Args:
        ratios: `[F, K]`, NaN where undefined.

    Returns:
        `[F]`; NaN if no landmark has a ratio.
    """
    best = np.min(ratios, axis=1, initial=np.inf, where=~np.isnan(ratios))
    return np.where(np.isfinite(best), best, np.nan)


def best_followed(ratios: np.ndarray) -> np.ndarray:
    """Returns the landmark that each tracking filter follows better than any other.

    Args:
        ratios: `[F, K]`, NaN where undefined.

    Returns:
        `[F]` int: the landmark's index; -1 for filters that track none.
    """
    tracks = lowest(ratios) < TRACKS_BELOW
    if not ratios.shape[1]:
        return np.full(len(ratios), -1)
    return np.where(tracks, np.where(np.isnan(ratios), np.inf, ratios).argmin(axis=1), -1)


def variance(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes each filter's variance over the images kept for it, with n - 1 in the denominator.

    Args:
        values: `[N, F]`, or anything that broadcasts to it.
        kept: `[N, F]` bool.

    Returns:
        `[F]` float64; NaN if fewer than two images are kept.
    """
    count = kept.sum(axis=0)
    mean = np.where(kept, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(kept, values - mean, 0.0) ** 2).sum(axis=0)
    return np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)


def _total_variance(points: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Returns the trace of each filter's covariance matrix of the points `[N, F, 2]`."""
    return variance(points[..., 0], kept) + variance(points[..., 1], kept)
