"""The square crop to an object, which is the performer's input, and the landmarks in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_explainer.images.record import Box, ImageRecord, UnreadableImageError


def crop_to_object(record: ImageRecord, size: int) -> np.ndarray:
    """Crops an image to its object and resizes it to the performer's input.

    The box is clipped to the image and rounded outward to whole pixels. The crop is resized bilinearly with
    anti-aliasing, without keeping the aspect ratio, as in ICNN.

    Args:
        record: the image; without a box the whole image is used.
        size: side of the square output, in pixels.

    Returns:
        `[size, size, 3]` uint8.

    Raises:
        UnreadableImageError: the box lies outside the image.
    """
    return crop_window(record.image, clipped_box(record), size)


def crop_window(image: np.ndarray, window: Box, size: int) -> np.ndarray:
    """Cuts a window out of an image and resizes it, as `crop_to_object` does.

    Args:
        image: `[H, W, 3]` uint8.
        window: in whole pixels; it must overlap the image, whose edges are repeated beyond it.
        size: side of the square output, in pixels.

    Returns:
        `[size, size, 3]` uint8.
    """
    height, width = image.shape[:2]
    top, bottom, left, right = (int(edge) for edge in (window.ymin, window.ymax, window.xmin, window.xmax))
    inside = image[max(0, top) : bottom, max(0, left) : right]
    beyond = (max(0, -top), max(0, bottom - height)), (max(0, -left), max(0, right - width)), (0, 0)
    pixels = np.pad(inside, beyond, "edge") if np.any(beyond) else inside
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def clipped_box(record: ImageRecord) -> Box:
    """Returns the object's box, clipped to the image and rounded outward to whole pixels.

    Raises:
        UnreadableImageError: nothing of the box lies inside the image.
    """
    height, width = record.image.shape[:2]
    return clip_to_image(record.reference.box or Box(xmin=0, ymin=0, xmax=width, ymax=height), width, height)


def clip_to_image(box: Box, width: int, height: int) -> Box:
    """Returns a box clipped to an image of `width` x `height` pixels and rounded outward to whole pixels.

    Raises:
        UnreadableImageError: nothing of the box lies inside the image.
    """
    clipped = Box(
        xmin=max(0.0, float(np.floor(box.xmin))),
        ymin=max(0.0, float(np.floor(box.ymin))),
        xmax=min(float(width), float(np.ceil(box.xmax))),
        ymax=min(float(height), float(np.ceil(box.ymax))),
    )
    if clipped.xmin >= clipped.xmax or clipped.ymin >= clipped.ymax:
        raise UnreadableImageError(
            f"its object box {box} lies outside its {width}x{height} pixels", "box_outside"
        )
    return clipped


def landmarks_in_crop(record: ImageRecord, names: Sequence[str]) -> np.ndarray:
    """Returns the landmarks of an image in coordinates of its crop, independent of the crop's size.

    Args:
        record: the image.
        names: the data set's landmarks, in the order of the rows.

    Returns:
        `[len(names), 4]` float32: y, x, height, width in units of the crop's side, so that (0, 0) is its
        top-left and (1, 1) its bottom-right corner; rows of landmarks without annotation are NaN.
    """
    box = clipped_box(record)
    height, width = box.ymax - box.ymin, box.xmax - box.xmin
    rows = np.full((len(names), 4), np.nan, np.float32)
    for row, name in enumerate(names):
        if landmark := record.reference.landmarks.get(name):
            rows[row] = (
                (landmark.y - box.ymin) / height,
                (landmark.x - box.xmin) / width,
                landmark.height / height,
                landmark.width / width,
            )
    return rows
