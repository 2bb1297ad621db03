"""The record of an image, for all data sets.

Coordinates are continuous pixels: pixel `i` (0-based) covers `[i, i + 1)` and has its centre at
`i + 0.5`. A 1-based MATLAB pixel `m` has its centre at `m - 0.5`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Box:
    """An axis-aligned box in continuous pixels; `xmax` and `ymax` are exclusive edges."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Landmark:
    """The centre of an annotated part and the part's extent, in continuous pixels of the image."""

    x: float
    y: float
    width: float = 0.0
    height: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageReference:
    """Everything about an image except its pixels.

    Attributes:
        id: unique in its data set, stable between runs and machines.
        label: index into the data set's classes.
        location: where the source finds the pixels: a path, or a number as text.
        box: of the object; None: the whole image is used.
        landmarks: the annotated landmarks, by name; only used for measures.
    """

    id: str
    label: int
    location: str
    box: Box | None = None
    landmarks: Mapping[str, Landmark] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """An image with its reference.

    Attributes:
        reference: id, label, box and landmarks.
        image: `[H, W, 3]` uint8, RGB.
    """

    reference: ImageReference
    image: np.ndarray


class UnreadableImageError(Exception):
    """An image cannot be used.

    Args:
        reason: message for the dead-letter file.
        kind: the reason in one word, by which dead letters are counted.
    """

    def __init__(self, reason: str, kind: str = "damaged") -> None:
        super().__init__(reason)
        self.kind = kind
