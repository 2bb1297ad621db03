"""Location instability: how much the distance between a filter's peak and a landmark varies (ICNN, 5.2.2)."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_explainer.metrics.peaks import Peaks
from tf_explainer.metrics.tracking import variance

_DIAGONAL = np.sqrt(2.0)  # of the crop, whose side is 1
_CENTRE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnInstability:
    """Location instability of each part against the landmark that suits it best, as the median over parts.

    Attributes:
        parts: instability of the parts' peaks, in diagonals of the crop; NaN if nothing could be measured.
        fixed_centre: instability of the middle of the crop, against the same landmarks.
    """

    parts: float
    fixed_centre: float


def location_instability(places: np.ndarray, landmark: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Computes `D_f = std(d)`, with d the distance from peak to landmark, divided by the image diagonal.

    `kept` must not include images on which the filter is silent, even if fewer than 100 images remain: their
    peak would always be the top-left unit. (Raw VGG-16 on fox: 0.137, as published; with silent images
    0.140.)

    Args:
        places: `[N, F, 2]`, the positions of the filters' peaks.
        landmark: `[N, 2]`, the positions of the landmark.
        kept: `[N, F]` bool, each filter's strongest images.

    Returns:
        `[F]` float64, in diagonals of the crop; NaN for filters with fewer than two images.
    """
    distances = np.linalg.norm(places - landmark[:, None], axis=-1) / _DIAGONAL
    return np.sqrt(variance(distances, kept))


def fixed_centre_instability(landmarks: np.ndarray) -> np.ndarray:
    """Computes the instability of a filter that always points to the middle of the crop, as a baseline.

    Such a filter has no strongest images, so all images with the landmark are used.

    Args:
        landmarks: `[N, K, 2]`, NaN where not annotated.

    Returns:
        `[K]` float64, in diagonals of the crop; NaN for landmarks annotated on fewer than two images.
    """
    distances = np.linalg.norm(landmarks - _CENTRE, axis=-1) / _DIAGONAL
    return np.sqrt(variance(distances, ~np.isnan(distances)))


def own_instability(
    peaks: Peaks, places: np.ndarray, landmarks: np.ndarray, top_images: int
) -> OwnInstability:
    """Measures each part against its own landmark only (ours).

    A mean over all landmarks would favour parts in the middle of the object.
    A part's landmark is chosen on even images, and the part is measured on odd ones: among many landmarks,
    some suit a part by chance on the images used for the choice.

    Args:
        peaks: peaks of P parts on N images.
        places: `[N, P, 2]`, the positions of the peaks.
        landmarks: `[N, K, 2]`, NaN where not annotated.
        top_images: number of strongest images to use per part and landmark.
    """
    even = np.arange(len(places)) % 2 == 0
    on_even, on_odd = (
        _by_landmark(peaks.select(half), places[half], landmarks[half], top_images) for half in (even, ~even)
    )
    parts = np.flatnonzero(~np.isnan(on_even).all(axis=1))
    own = np.nanargmin(on_even[parts], axis=1) if len(parts) else parts
    instability = np.stack([on_odd[parts, own], fixed_centre_instability(landmarks[~even])[own]])
    instability = instability[:, ~np.isnan(instability).any(axis=0)]
    if not instability.size:
        return OwnInstability(parts=np.nan, fixed_centre=np.nan)
    of_parts, of_centre = np.median(instability, axis=1)
    return OwnInstability(parts=float(of_parts), fixed_centre=float(of_centre))


def _by_landmark(peaks: Peaks, places: np.ndarray, landmarks: np.ndarray, top_images: int) -> np.ndarray:
    """Returns the instability of every part against every landmark, `[P, K]`."""
    instability = np.full((places.shape[1], landmarks.shape[1]), np.nan)
    for k, landmark in enumerate(landmarks.swapaxes(0, 1)):
        annotated = ~np.isnan(landmark[:, 0])
        kept = peaks.select(annotated).strongest(top_images)
        instability[:, k] = location_instability(places[annotated], landmark[annotated], kept)
    return instability
