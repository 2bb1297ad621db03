"""Images and maps that are not square, on a square: below or to the right of them is an empty margin."""

from __future__ import annotations

import numpy as np


def images(pictures: np.ndarray) -> np.ndarray:
    """Puts images into the upper left corner of a black square.

    Args:
        pictures: `[N, H, W, C]`.

    Returns:
        `[N, S, S, C]`, S being the longer of H and W.
    """
    return _padded(pictures, max(pictures.shape[1:3]))


def maps(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Puts feature maps where their images are; the margin responds nowhere.

    Units that lie closer together along one axis than along the other are repeated along the other.

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
