"""Peaks: the strongest response of each filter on each image, and where it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from tf_explainer.schema import ReceptiveField


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peaks:
    """The peak of each filter on each image.

    A filter whose peak is 0 is silent on that image: its peak unit says nothing and must not be used.

    Attributes:
        values: `[N, F]` float32, the highest activation.
        units: `[N, F]` int32, the unit that has it, `row * side + column`; the first of equals.
    """

    values: np.ndarray
    units: np.ndarray

    @classmethod
    def of(cls, maps: np.ndarray) -> Peaks:
        """Finds the peaks of a batch.

        Args:
            maps: `[B, L, L, F]`, non-negative activations.
        """
        images, height, width, filters = maps.shape
        flat = maps.reshape(images, height * width, filters)
        units = flat.argmax(axis=1)
        values = np.take_along_axis(flat, units[:, None], axis=1)[:, 0]
        return cls(values=values.astype(np.float32), units=units.astype(np.int32))

    @classmethod
    def joined(cls, batches: Iterable[Peaks]) -> Peaks:
        """Puts the peaks of batches after one another."""
        batches = list(batches)
        return cls(
            values=np.concatenate([batch.values for batch in batches]),
            units=np.concatenate([batch.units for batch in batches]),
        )

    def select(self, images: np.ndarray, filters: np.ndarray | None = None) -> Peaks:
        """Returns the peaks of some filters on some images.

        Args:
            images: indices, or a mask `[N]`.
            filters: indices, or a mask `[F]`; None: all.
        """
        values, units = self.values[images], self.units[images]
        if filters is not None:
            values, units = values[:, filters], units[:, filters]
        return Peaks(values=values, units=units)

    @property
    def live(self) -> np.ndarray:
        """`[N, F]` bool: where a filter responds at all."""
        return np.greater(self.values, 0)

    @property
    def dead(self) -> np.ndarray:
        """`[F]` bool: filters that respond on no image."""
        return np.logical_not(self.live.any(axis=0))

    def strongest(self, count: int | np.ndarray) -> np.ndarray:
        """Chooses the images on which each filter responds most.

        Args:
            count: images a filter keeps, one number or `[F]`; silent images are never kept, and of equal
                peaks the earlier image is.

        Returns:
            `[N, F]` bool.
        """
        order = np.argsort(-self.values, axis=0, kind="stable")
        kept = np.zeros(self.values.shape, bool)
        np.put_along_axis(kept, order, np.arange(len(order))[:, None] < count, axis=0)
        return kept & self.live
