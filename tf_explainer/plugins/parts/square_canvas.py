"""Pads images and maps to a square, with an empty margin below or to the right."""

from __future__ import annotations

import numpy as np


def images(pictures: np.ndarray) -> np.ndarray:
    """Pads images `[N, H, W, C]` to black squares `[N, S, S, C]`, where S is the longer of H and W."""
    return _padded(pictures, max(pictures.shape[1:3]))


def maps(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pads feature maps like their images; the margin is 0.

    If units are closer together along one axis, they are repeated along the other axis.

    Args:
        values: `[N, A, B, F]`, of images of height H and width W.
        height: H, in pixels.
        width: W, in pixels.

    Returns:
        `[N, L, L, F]`.
    """
    spacing = min(height / values.shape[1], width / values.shape[2])
    for axis, length in ((1, height), (2, width)):
        units = max(round(length / spacing), values.shape[axis])
        nearest = ((np.arange(units) + 0.5) * values.shape[axis] / units).astype(int)
        values = values.take(nearest, axis=axis)
    return _padded(values, max(round(max(height, width) / spacing), *values.shape[1:3]))


def _padded(values: np.ndarray, side: int) -> np.ndarray:
    _, height, width, _ = values.shape
    return np.pad(values, ((0, 0), (0, side - height), (0, side - width), (0, 0)))
