"""Location instability: how much the distance between a filter's peak and a landmark varies (ICNN, 5.2.2)."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics.tracking import variance

_DIAGONAL = np.sqrt(2.0)  # of the crop, whose side is 1
_CENTRE = 0.5


def location_instability(places: np.ndarray, landmark: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes `D_f = std(d)`, d the distance between peak and landmark divided by the image diagonal.

    Images on which a filter is silent are not to be kept, even where it has fewer than 100 others: its peak
    would always be the top-left unit. (Raw VGG-16 on fox: 0.137, as published; with them 0.140.)

    Args:
        places: `[N, F, 2]`, where each filter peaks.
        landmark: `[N, 2]`, where the landmark is.
        kept: `[N, F]` bool, each filter's strongest images.

    Returns:
        `[F]` float64, in diagonals of the crop; NaN for filters that keep fewer than two images.
    """
    distances = np.linalg.norm(places - landmark[:, None], axis=-1) / _DIAGONAL
    return np.sqrt(variance(distances, kept))


def fixed_centre_instability(landmarks: np.ndarray) -> np.ndarray:
    """Computes the instability of a filter that points to the middle of every crop and explains nothing.

    Having no strongest images, it is measured on all images where a landmark is annotated.

    Args:
        landmarks: `[N, K, 2]`, NaN where not annotated.

    Returns:
        `[K]` float64, in diagonals of the crop; NaN for landmarks annotated on fewer than two images.
    """
    distances = np.linalg.norm(landmarks - _CENTRE, axis=-1) / _DIAGONAL
    return np.sqrt(variance(distances, ~np.isnan(distances)))
