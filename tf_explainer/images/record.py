"""One record type for every image.

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
    """Everything about one image but its pixels.

    Attributes:
        id: unique in its data set, stable between runs and machines.
        label: index into the data set's classes.
        location: where the source finds the pixels: a path, or a number written as text.
        box: the object; None where the whole image is used.
        landmarks: by name, only those annotated. Evaluation alone reads them.
    """

    id: str
    label: int
    location: str
    box: Box | None = None
    landmarks: Mapping[str, Landmark] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One image with its reference.

    Attributes:
        reference: id, label, box and landmarks.
        image: `[H, W, 3]` uint8, RGB.
    """

    reference: ImageReference
    image: np.ndarray


class UnreadableImageError(Exception):
    """One image cannot be used.

    Args:
        reason: what the dead-letter file shows.
        kind: the reason in a word, by which dead letters are counted.
    """

    def __init__(self, reason: str, kind: str = "damaged") -> None:
        super().__init__(reason)
        self.kind = kind
