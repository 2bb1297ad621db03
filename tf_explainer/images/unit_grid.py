"""Where the units of a feature map lie in the image."""

from __future__ import annotations

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """Where a unit of the target layer looks, in continuous pixels of the performer's input.

    Unit `i` (0-based, either axis) has its centre at `centre + stride * i` and covers `size` pixels.
    """

    size: float
    stride: float
    centre: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitGrid:
    """Where the units of a map look, along either axis, in units of the crop.

    Attributes:
        side: units along an axis, L.
        first: centre of unit 0.
        spacing: distance between the centres of neighbours.
        extent: side of the square that a unit effectively sees.
    """

    side: int
    first: float
    spacing: float
    extent: float

    @classmethod
    def of(cls, field: ReceptiveField, image_size: int, side: int) -> UnitGrid:
        """Places the units of a map at the centres of their receptive fields.

        What a unit effectively sees grows as the square root of what it could see (W. Luo et al.,
        arXiv:1701.04128); the factor fits the sizes measured by B. Zhou et al., arXiv:1412.6856: 52, 60 and
        72 of 99, 131 and 195 pixels.

        Args:
            field: geometry of the layer, in pixels of the performer's input.
            image_size: side of that input, in pixels.
            side: units along an axis.
        """
        effective = min(field.size, 5.2 * math.sqrt(field.size))
        return cls(
            side=side,
            first=field.centre / image_size,
            spacing=field.stride / image_size,
            extent=effective / image_size,
        )

    def centres(self, units: np.ndarray) -> np.ndarray:
        """Returns where units look.

        Args:
            units: `[...]` integers, `row * side + column`.

        Returns:
            `[..., 2]` float64: y, x.
        """
        rows_and_columns = np.stack(np.divmod(units, self.side), axis=-1)
        return self.first + self.spacing * rows_and_columns

    def units_at(self, places: np.ndarray) -> np.ndarray:
        """Returns the units whose centres are nearest.

        Args:
            places: `[..., 2]`: y, x in units of the crop.

        Returns:
            `[..., 2]` int: row, column; at the border for places beyond it.
        """
        nearest = np.rint((places - self.first) / self.spacing)
        return np.clip(nearest, 0, self.side - 1).astype(int)
