"""Evidence: what a part looks at, by covering squares of the image (M. Zeiler, R. Fergus, arXiv:1311.2901).

A part may peak at one place and respond to something at another. A square that covers this evidence lowers
the response at the part's peak.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid

SQUARE = 64
"""Side of a square, in pixels of the performer's input."""
_SQUARES_PER_AXIS = 7


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvidenceSummary:
    """Means over all pairs of a part and an image with evidence; NaN if there are none.

    Attributes:
        distance: distance from the part's peak to the centre of mass of its evidence, in units of the feature
            map.
        concentration: share of the evidence in squares that cover the peak, divided by this share for an
            average unit; 1 means that the evidence is not concentrated at the peak.
        pairs: number of pairs of a part and an image.
    """

    distance: float
    concentration: float
    pairs: int


def corners(image_size: int) -> np.ndarray:
    """Returns the top-left corners of the 49 overlapping squares, `[49, 2]` int: row, column."""
    steps = np.rint(np.linspace(0, max(image_size - SQUARE, 0), _SQUARES_PER_AXIS)).astype(int)
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)


def covered(crop: np.ndarray) -> Iterator[np.ndarray]:
    """Yields copies of an image, each with one square covered by the image's mean colour.

    Args:
        crop: `[S, S, 3]`, of any dtype.
    """
    colour = crop.mean(axis=(0, 1)).astype(crop.dtype)
    for row, column in corners(len(crop)):
        image = crop.copy()
        image[row : row + SQUARE, column : column + SQUARE] = colour
        yield image


class Evidence:
    """Collects the parts' responses to covered images.

    Args:
        image_size: side of the performer's input, in pixels.
        grid: positions of the units in the crop.
    """

    def __init__(self, image_size: int, grid: UnitGrid) -> None:
        self._grid = grid
        self._centres = (corners(image_size) + SQUARE / 2) / image_size
        units = grid.centres(np.arange(grid.side**2))
        self._covers = (np.abs(units[:, None] - self._centres) <= SQUARE / 2 / image_size).all(axis=-1)
        self._rows: list[np.ndarray] = []
        self._parts: list[int] = []

    def add(self, uncovered_maps: np.ndarray, covered_maps: np.ndarray) -> None:
        """Adds an image.

        Args:
            uncovered_maps: `[L, L, P]`, maps of the uncovered image.
            covered_maps: `[S, L, L, P]`, maps of the covered images, in the order of `covered`.
        """
        parts = uncovered_maps.shape[-1]
        maps = uncovered_maps.reshape(-1, parts)
        units = maps.argmax(axis=0)
        peaks = maps[units, np.arange(parts)]
        remaining = covered_maps.reshape(len(covered_maps), -1, parts)[:, units, np.arange(parts)]
        lost = np.maximum(peaks - remaining, 0) * (peaks > 0)
        for part in np.flatnonzero(lost.sum(axis=0) > 0):
            self._rows.append(self._measure(units[part], lost[:, part].astype(np.float64)))
            self._parts.append(int(part))

    def _measure(self, unit: int, losses: np.ndarray) -> np.ndarray:
        """Returns the distance, the share of evidence at the peak, and its mean over all units."""
        shares = losses / losses.sum()
        away = shares @ self._centres - self._grid.centres(np.array(unit))
        by_unit = self._covers @ shares
        return np.array([np.linalg.norm(away) / self._grid.spacing, by_unit[unit], by_unit.mean()])

    def summary(self, parts: Collection[int] | None = None) -> EvidenceSummary:
        """Returns the means over some parts.

        Args:
            parts: indices of the parts; None: all parts.
        """
        pairs = zip(self._rows, self._parts, strict=True)
        rows = [row for row, part in pairs if parts is None or part in parts]
        if not rows:
            return EvidenceSummary(distance=np.nan, concentration=np.nan, pairs=0)
        distance, at_peak, anywhere = np.mean(rows, axis=0)
        return EvidenceSummary(
            distance=float(distance),
            concentration=float(at_peak / anywhere) if anywhere else np.nan,
            pairs=len(rows),
        )
