"""Views of an image: the crop of its object, and the same crop mirrored, shifted or narrowed.

A view's coordinates are in units of its own side. An affine map takes coordinates of the original view to
those of another: `y' = scale_y * y + offset_y`, and the same for x, with a negative `scale_x` if mirrored.
An equivariant filter that finds something at (y, x) in the original finds it at (y', x') in the view.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from tf_explainer.features.schema import ORIGINAL
from tf_explainer.images.crop import clipped_box, crop_window, landmarks_in_crop
from tf_explainer.images.record import Box, ImageRecord, ImageReference
from tf_explainer.images.unit_grid import ReceptiveField

# Shares of the crop's side. The shift is about two of the 14 units of VGG-16's last convolution.
MAX_SHIFT = 0.15
NARROWEST, WIDEST = 0.7, 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop:
    """The performer's input for a view of an image.

    Attributes:
        reference: of the image.
        view: `original` or one of `schema.VIEWS`.
        pixels: `[S, S, 3]` uint8, RGB.
        landmarks: `[K, 4]` float32, see `images.crop.landmarks_in_crop`; a landmark whose centre is outside
            of [0, 1) is not visible in this view.
        affine: `[4]` float32: scale_y, offset_y, scale_x, offset_x, from the original view to this one.
    """

    reference: ImageReference
    view: str
    pixels: np.ndarray
    landmarks: np.ndarray
    affine: np.ndarray


def crop_view(record: ImageRecord, view: str, size: int, landmarks: Sequence[str], seed: int) -> Crop:
    """Crops an image to one view of its object; the same arguments give the same view.

    Args:
        record: the image.
        view: `original`: as `images.crop.crop_to_object`; `flip`: mirrored left to right; `shift`: the window
            shifted by up to 0.15 of each side, with the image's edge repeated beyond it; `crop`: a random
            window inside, of 0.7 to 0.9 of both sides.
        size: side of the square output, in pixels.
        landmarks: names by row.
        seed: of the random choice, which also depends on the image's id and the view.

    Raises:
        UnreadableImageError: the object's box lies outside the image.
    """
    box = clipped_box(record)
    window = _window(box, view, _random(record.reference.id, view, seed))
    pixels = crop_window(record.image, window, size)
    affine = _affine(box, window)
    if view == "flip":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        affine[2:] = -affine[2], 1 - affine[3]
    return Crop(
        reference=record.reference,
        view=view,
        pixels=pixels,
        landmarks=_moved(landmarks_in_crop(record, landmarks), affine),
        affine=affine.astype(np.float32),
    )


def record_id(reference: ImageReference, view: str) -> str:
    """Returns the id of a view's record: the image's id, followed by `#` and the view if not the original."""
    return reference.id if view == ORIGINAL else f"{reference.id}#{view}"


def _window(box: Box, view: str, random: np.ndarray) -> Box:
    """Returns the window of a view, in whole pixels of the image.

    Args:
        box: the window of the original view.
        view: as for `crop_view`.
        random: `[3]` in [0, 1).
    """
    corner, side = np.array([box.ymin, box.xmin]), np.array([box.ymax - box.ymin, box.xmax - box.xmin])
    if view == "shift":
        corner = corner + np.round((2 * random[:2] - 1) * MAX_SHIFT * side)
    elif view == "crop":
        narrow = np.maximum(1, np.round((NARROWEST + (WIDEST - NARROWEST) * random[2]) * side))
        corner, side = corner + np.floor(random[:2] * (side - narrow + 1)), narrow
    (ymin, xmin), (ymax, xmax) = corner, corner + side
    return Box(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def _random(image_id: str, view: str, seed: int) -> np.ndarray:
    """Returns three numbers in [0, 1), from a hash, so that they never depend on the library's version."""
    digest = hashlib.sha256(f"{seed}/{view}/{image_id}".encode()).digest()
    return np.frombuffer(digest, ">u4", count=3) / 2.0**32


def _affine(box: Box, window: Box) -> np.ndarray:
    height, width = window.ymax - window.ymin, window.xmax - window.xmin
    return np.array(
        [
            (box.ymax - box.ymin) / height,
            (box.ymin - window.ymin) / height,
            (box.xmax - box.xmin) / width,
            (box.xmin - window.xmin) / width,
        ]
    )


def _moved(landmarks: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Returns the landmarks `[K, 4]` of the original view in coordinates of another view."""
    scale, offset = affine[[0, 2]], affine[[1, 3]]
    centres, extents = landmarks[:, :2] * scale + offset, landmarks[:, 2:] * np.abs(scale)
    return np.concatenate([centres, extents], axis=1).astype(np.float32)


def in_units(field: ReceptiveField, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the conversion of affine maps from units of the crop's side to units of a feature map.

    Unit u is centred at pixel `first + stride u` of the crop of S pixels, so
    `u' = scale u + (S offset + (scale - 1) first) / stride`.

    Args:
        field: receptive field of the map's units.
        image_size: S.

    Returns:
        A matrix `[4, 4]` and a vector `[4]`, float32; `affine @ matrix + vector` is the converted affine map.
    """
    first, side = field.centre / field.stride, image_size / field.stride
    axis = np.array([[1, first], [0, side]])
    return (
        np.kron(np.eye(2), axis).astype(np.float32),
        np.array([0, -first, 0, -first], np.float32),
    )
