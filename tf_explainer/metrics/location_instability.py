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
    """Location instability against the one landmark that suits each part best, the median over parts.

    Attributes:
        parts: of their peaks, in diagonals of the crop; NaN where nothing could be measured.
        fixed_centre: of the middle of the crop, against the same landmarks.
    """

    parts: float
    fixed_centre: float


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


def own_instability(
    peaks: Peaks, places: np.ndarray, landmarks: np.ndarray, top_images: int
) -> OwnInstability:
    """Measures each part against its own landmark (ours): a mean over landmarks favours the object's middle.

    A part's landmark is chosen on even images, and it is measured on odd ones: of many landmarks some suit a
    part by luck on the images that they were chosen on.

    Args:
        peaks: of P parts on N images.
        places: `[N, P, 2]`, where they peak.
        landmarks: `[N, K, 2]`, NaN where not annotated.
        top_images: images that a part and landmark keep.
    """
    even = np.arange(len(places)) % 2 == 0
    halves = [
        _by_landmark(peaks.select(half), places[half], landmarks[half], top_images) for half in (even, ~even)
    ]
    seen, unseen = halves
    parts = np.flatnonzero(~np.isnan(seen).all(axis=1))
    own = np.nanargmin(seen[parts], axis=1) if len(parts) else parts
    found = np.stack([unseen[parts, own], fixed_centre_instability(landmarks[~even])[own]])
    found = found[:, ~np.isnan(found).any(axis=0)]
    if not found.size:
        return OwnInstability(parts=np.nan, fixed_centre=np.nan)
    of_parts, of_centre = np.median(found, axis=1)
    return OwnInstability(parts=float(of_parts), fixed_centre=float(of_centre))


def _by_landmark(peaks: Peaks, places: np.ndarray, landmarks: np.ndarray, top_images: int) -> np.ndarray:
    """Returns the instability of every part against every landmark, `[P, K]`."""
    found = np.full((places.shape[1], landmarks.shape[1]), np.nan)
    for k, landmark in enumerate(landmarks.swapaxes(0, 1)):
        annotated = ~np.isnan(landmark[:, 0])
        kept = peaks.select(annotated).strongest(top_images)
        found[:, k] = location_instability(places[annotated], landmark[annotated], kept)
    return found
