"""Evidence: what a part looks at, by covering squares of the image (M. Zeiler, R. Fergus, arXiv:1311.2901).

A part may point to one place and respond to what is at another. Where a square covers its evidence, the
response at its peak is lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid

SQUARE = 64
"""Side of a square, in pixels of the performer's input."""
_SQUARES_AN_AXIS = 7


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvidenceSummary:
    """Means over parts and images with evidence; NaN where there is none.

    Attributes:
        distance: from a part's peak to its evidence's centre of mass, in units of the feature map.
        concentration: share of the evidence in squares that cover the peak, over the share of a random unit:
            1 where it does not matter where the part points.
        pairs: how many parts on images these are.
    """

    distance: float
    concentration: float
    pairs: int


def corners(image_size: int) -> np.ndarray:
    """Returns the top-left corners of the squares, `[S, 2]` int: row, column; S = 49, they overlap."""
    steps = np.rint(np.linspace(0, max(image_size - SQUARE, 0), _SQUARES_AN_AXIS)).astype(int)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)


def covered(crop: np.ndarray) -> Iterator[np.ndarray]:
    """Yields an image with one square at a time in its mean colour.

    Args:
        crop: `[S, S, 3]`, of any dtype.
    """
    colour = crop.mean(axis=(0, 1)).astype(crop.dtype)
    for row, column in corners(len(crop)):
        image = crop.copy()
        image[row : row + SQUARE, column : column + SQUARE] = colour
        yield image


class Evidence:
    """Collects the responses to covered images, image by image.

    Args:
        image_size: side of the performer's input, in pixels.
        grid: where the units look.
    """

    def __init__(self, image_size: int, grid: UnitGrid) -> None:
        self._grid = grid
        self._centres = (corners(image_size) + SQUARE / 2) / image_size
        units = grid.centres(np.arange(grid.side**2))
        self._covers = (np.abs(units[:, None] - self._centres) <= SQUARE / 2 / image_size).all(axis=-1)
        self._rows: list[np.ndarray] = []
        self._parts: list[int] = []

    def add(self, whole: np.ndarray, covered_maps: np.ndarray) -> None:
        """Takes in one image.

        Args:
            whole: `[L, L, P]`, maps of the image.
            covered_maps: `[S, L, L, P]`, of the covered images, in the order of `covered`.
        """
        parts = whole.shape[-1]
        maps = whole.reshape(-1, parts)
        units = maps.argmax(axis=0)
        peaks = maps[units, np.arange(parts)]
        left = covered_maps.reshape(len(covered_maps), -1, parts)[:, units, np.arange(parts)]
        lost = np.maximum(peaks - left, 0) * (peaks > 0)
        for part in np.flatnonzero(lost.sum(axis=0) > 0):
            self._rows.append(self._measured(units[part], lost[:, part].astype(np.float64)))
            self._parts.append(int(part))

    def _measured(self, unit: int, losses: np.ndarray) -> np.ndarray:
        """Returns distance, share at the peak, and mean share over all units."""
        shares = losses / losses.sum()
        away = shares @ self._centres - self._grid.centres(np.array(unit))
        by_unit = self._covers @ shares
        return np.array([np.linalg.norm(away) / self._grid.spacing, by_unit[unit], by_unit.mean()])

    def summary(self, parts: Collection[int] | None = None) -> EvidenceSummary:
        """Returns the means.

        Args:
            parts: those that they are of; None: all.
        """
        rows = [row for row, of in zip(self._rows, self._parts, strict=True) if parts is None or of in parts]
        if not rows:
            return EvidenceSummary(distance=np.nan, concentration=np.nan, pairs=0)
        distance, at_peak, anywhere = np.mean(rows, axis=0)
        return EvidenceSummary(
            distance=float(distance),
            concentration=float(at_peak / anywhere) if anywhere else np.nan,
            pairs=len(rows),
        )
