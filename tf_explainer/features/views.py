"""Views of one image: the crop of its object, and the same mirrored, moved or narrowed.

A view's coordinates are in units of its own side. The affine map leads from those of the original view to
those of this one: `y' = scale_y * y + offset_y`, and the same for x, with a negative `scale_x` if mirrored.
What an equivariant filter finds at (y, x) in the original it finds at (y', x') in the view.
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

# Share of the crop's side: about two of the 14 units of VGG-16's last convolution.
MAX_SHIFT = 0.15
NARROWEST, WIDEST = 0.7, 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop:
    """What the performer sees of an image.

    Attributes:
        reference: of the image.
        view: `original` or one of `schema.VIEWS`.
        pixels: `[S, S, 3]` uint8, RGB.
        landmarks: `[K, 4]` float32, see `images.landmarks_in_crop`; a centre outside of [0, 1) is not to be
            seen in this view.
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
        view: `original`: as `images.crop_to_object`; `flip`: mirrored left to right; `shift`: the window
            moved by up to 0.15 of each side, with the image's edge repeated where it reaches beyond;
            `crop`: a window of 0.7 to 0.9 of both sides, somewhere inside.
        size: side of the square output, in pixels.
        landmarks: names by row.
        seed: of the choice, which depends on the image's id besides.

    Raises:
        UnreadableImageError: the object's box lies outside the image.
    """
    box = clipped_box(record)
    window = _window(box, view, _uniform(record.reference.id, view, seed))
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
    """Returns the id of a view's record: the image's, and `#` and the view unless that is the original."""
    return reference.id if view == ORIGINAL else f"{reference.id}#{view}"


def _window(box: Box, view: str, chance: np.ndarray) -> Box:
    """Returns what a view shows, in whole pixels of the image."""
    corner, side = np.array([box.ymin, box.xmin]), np.array([box.ymax - box.ymin, box.xmax - box.xmin])
    if view == "shift":
        corner = corner + np.round((2 * chance[:2] - 1) * MAX_SHIFT * side)
    elif view == "crop":
        narrow = np.maximum(1, np.round((NARROWEST + (WIDEST - NARROWEST) * chance[2]) * side))
        corner, side = corner + np.floor(chance[:2] * (side - narrow + 1)), narrow
    (ymin, xmin), (ymax, xmax) = corner, corner + side
    return Box(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def _uniform(image_id: str, view: str, seed: int) -> np.ndarray:
    """Returns three numbers in [0, 1)."""
    digest = hashlib.sha256(f"{seed}/{view}/{image_id}".encode()).digest()
    # As `images.fold_position` does: the same wherever and with whatever version it is computed.
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
    """Returns landmarks of the original view, `[K, 4]`, as they lie in the other one."""
    scale, offset = affine[[0, 2]], affine[[1, 3]]
    centres, extents = landmarks[:, :2] * scale + offset, landmarks[:, 2:] * np.abs(scale)
    return np.concatenate([centres, extents], axis=1).astype(np.float32)


def in_units(field: ReceptiveField, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what takes affine maps from sides of the crop to units of a feature map.

    A unit u is centred at `first + stride u` pixels of the crop's S, so that
    `u' = scale u + (S offset + (scale - 1) first) / stride`.

    Args:
        field: of the map's units.
        image_size: S.

    Returns:
        A matrix `[4, 4]` and a vector `[4]`, float32: `affine @ matrix + vector` has its offsets in units.
    """
    first, side = field.centre / field.stride, image_size / field.stride
    axis = np.array([[1, first], [0, side]])
    return (
        np.kron(np.eye(2), axis).astype(np.float32),
        np.array([0, -first, 0, -first], np.float32),
    )
