"""The positions of a feature map's units in the image."""

from __future__ import annotations

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """The receptive field of the target layer's units, in continuous pixels of the performer's input.

    Unit `i` (0-based, either axis) has its centre at `centre + stride * i` and covers `size` pixels.
    """

    size: float
    stride: float
    centre: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitGrid:
    """The positions of a map's units along either axis, in units of the crop's side.

    Attributes:
        side: number of units along an axis, L.
        first: centre of unit 0.
        spacing: distance between the centres of neighbours.
        extent: side of a unit's effective receptive field.
    """

    side: int
    first: float
    spacing: float
    extent: float

    @classmethod
    def of(cls, field: ReceptiveField, image_size: int, side: int) -> UnitGrid:
        """Places the units of a map at the centres of their receptive fields.

        The effective receptive field grows as the square root of the theoretical one (W. Luo et al.,
        arXiv:1701.04128). The factor fits the sizes measured by B. Zhou et al., arXiv:1412.6856: 52, 60 and
        72 of 99, 131 and 195 pixels.

        Args:
            field: receptive field, in pixels of the performer's input.
            image_size: side of this input, in pixels.
            side: number of units along an axis.
        """
        effective = min(field.size, 5.2 * math.sqrt(field.size))
        return cls(
            side=side,
            first=field.centre / image_size,
            spacing=field.stride / image_size,
            extent=effective / image_size,
        )

    def centres(self, units: np.ndarray) -> np.ndarray:
        """Returns the centres of units.

        Args:
            units: `[...]` integers, `row * side + column`.

        Returns:
            `[..., 2]` float64: y, x.
        """
        return self.first + self.spacing * np.stack(np.divmod(units, self.side), axis=-1)

    def units_at(self, places: np.ndarray) -> np.ndarray:
        """Returns the units whose centres are nearest to points of the crop.

        Args:
            places: `[..., 2]`: y, x in units of the crop's side.

        Returns:
            `[..., 2]` int: row, column; clipped to the map.
        """
        nearest = np.rint((places - self.first) / self.spacing)
        return np.clip(nearest, 0, self.side - 1).astype(int)
