"""Finds the landmark that a part follows in each category, and where it is if it follows none."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics import pck
from tf_explainer.metrics.layer_measures import Annotations
from tf_explainer.metrics.merged_landmarks import merge_landmarks
from tf_explainer.metrics.peaks import Peaks

ABOVE_CHANCE = 0.1
"""A part follows a landmark if its share of images exceeds that of the best fixed point by at least this."""

_EXTENT = 2 / 3
"""Share of the crop that the box around the landmarks must cover, on average, to be the object's extent."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Followed:
    """A landmark that a part follows on the images of a category.

    Attributes:
        landmark: its name, without left or right.
        found: share of the images on which the part peaks within a tenth of the crop's side of it, in [0, 1].
        chance: the same share for the best fixed point.
    """

    landmark: str
    found: float
    chance: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Where a part peaks.

    Attributes:
        followed: the landmark that it follows, by category; categories in which it follows none are left out.
        outside: share of the images with landmarks on which it peaks outside the box around all landmarks;
            NaN if there is no such image, or if that box on average covers less than two thirds of the crop,
            so that the landmarks do not mark the extent of the object.
        border: share of the images on which it peaks in the outermost units; NaN if it never responds.
        elsewhere: its mean response on images of no category, divided by that on images of the categories;
            NaN if there are no images of no category, or if it never responds.
    """

    followed: dict[str, Followed]
    outside: float
    border: float
    elsewhere: float


def whereabouts(
    maps: np.ndarray, annotations: Annotations, grid: UnitGrid, elsewhere: np.ndarray
) -> list[Whereabouts]:
    """Finds where each part peaks and which landmarks it follows.

    In each category, the landmark whose share of images exceeds chance most is chosen on the even images.
    Both shares are then measured on the odd images, and the part follows the landmark if the difference is at
    least `ABOVE_CHANCE` there.

    Args:
        maps: `[N, L, L, P]`, from `explainer.part_maps`.
        annotations: annotations of these images.
        grid: positions of the units in the crop.
        elsewhere: `[P]`, the parts' mean responses on images of no category; NaN if there are none.
    """
    peaks = Peaks.of(maps)
    places = grid.centres(peaks.units)
    merged = merge_landmarks(annotations.landmark_names, annotations.landmarks[..., :2])
    found: list[dict[str, Followed]] = [{} for _ in range(maps.shape[-1])]
    for label, category in enumerate(annotations.categories):
        images = annotations.labels == label
        shares = _shares(places[images], peaks.live[images], merged.places[images])
        units = grid.centres(np.arange(grid.side**2))[None]
        of_units = _shares(units, np.ones(units.shape[:2], bool), merged.places[images])
        # The shares, on each half, of the unit that is best on the even half.
        chance = np.take_along_axis(of_units, of_units[:1].argmax(axis=1, keepdims=True), axis=1)
        beyond = shares - chance  # [2, P, landmarks]
        for part, best in enumerate(beyond[0].argmax(axis=1) if merged.names else ()):
            if beyond[1, part, best] >= ABOVE_CHANCE:
                found[part][category] = Followed(
                    landmark=merged.names[best],
                    found=float(shares[1, part, best]),
                    chance=float(chance[1, 0, best]),
                )
    outside, border = _outside(places, peaks.live, annotations.landmarks), _at_border(peaks, grid.side)
    here = maps.mean(axis=(0, 1, 2), dtype=np.float64)
    relative = np.where(here > 0, elsewhere / np.where(here > 0, here, 1), np.nan)
    return [
        Whereabouts(
            followed=each,
            outside=float(outside[part]),
            border=float(border[part]),
            elsewhere=float(relative[part]),
        )
        for part, each in enumerate(found)
    ]


def _shares(places: np.ndarray, live: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Returns the shares of even and of odd images on which each place is near each landmark.

    Returns:
        `[2, P, landmarks]`; 0 if no image of the half has the landmark.
    """
    even = np.arange(len(landmarks)) % 2 == 0
    shares = np.zeros((2, live.shape[1], landmarks.shape[1]))
    for k in range(landmarks.shape[1]):
        annotated = ~np.isnan(landmarks[:, k, 0])
        near = pck.is_near(places, live, landmarks[:, k])
        for row, half in enumerate((even & annotated, ~even & annotated)):
            shares[row, :, k] = near[half].mean(axis=0) if half.any() else 0
    return shares


def _outside(places: np.ndarray, live: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Returns the shares of images on which parts peak outside the box around all landmarks, `[P]`."""
    half = np.nan_to_num(landmarks[..., 2:]) / 2
    margin = np.maximum(half, pck.NEAR)
    annotated = ~np.isnan(landmarks[..., 0]).all(axis=1) if landmarks.shape[1] else np.zeros(len(live), bool)
    if not annotated.any():
        return np.full(live.shape[1], np.nan)
    low = np.nanmin((landmarks[..., :2] - margin)[annotated], axis=1)[:, None]
    high = np.nanmax((landmarks[..., :2] + margin)[annotated], axis=1)[:, None]
    covered = np.prod(np.minimum(high, 1) - np.maximum(low, 0), axis=-1)
    if covered.mean() < _EXTENT:
        return np.full(live.shape[1], np.nan)
    away = ((places[annotated] < low) | (places[annotated] > high)).any(axis=-1)
    return _share(away, live[annotated])


def _at_border(peaks: Peaks, side: int) -> np.ndarray:
    """Returns the shares of images on which parts peak in the outermost units, `[P]`."""
    rows, columns = np.divmod(peaks.units, side)
    return _share(np.isin(rows, (0, side - 1)) | np.isin(columns, (0, side - 1)), peaks.live)


def _share(true: np.ndarray, live: np.ndarray) -> np.ndarray:
    count = live.sum(axis=0)
    return np.where(count > 0, (true & live).sum(axis=0) / np.maximum(count, 1), np.nan)
