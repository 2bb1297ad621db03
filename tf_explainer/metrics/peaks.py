"""Peaks: the strongest response of each filter on each image, and its position."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peaks:
    """The peak of each filter on each image.

    A filter whose peak is 0 is silent on that image; its peak unit has no meaning and must not be used.

    Attributes:
        values: `[N, F]` float32, the highest activation.
        units: `[N, F]` int32, the unit with this activation, `row * side + column`; the first one of equals.
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
        """Concatenates the peaks of batches."""
        batches = list(batches)
        return cls(
            values=np.concatenate([batch.values for batch in batches]),
            units=np.concatenate([batch.units for batch in batches]),
        )

    def select(self, images: np.ndarray, filters: np.ndarray | None = None) -> Peaks:
        """Returns the peaks of some filters on some images.

        Args:
            images: indices, or a mask `[N]`.
            filters: indices, or a mask `[F]`; None for all filters.
        """
        values, units = self.values[images], self.units[images]
        if filters is not None:
            values, units = values[:, filters], units[:, filters]
        return Peaks(values=values, units=units)

    @property
    def live(self) -> np.ndarray:
        """`[N, F]` bool: whether the filter responds to the image."""
        return np.greater(self.values, 0)

    @property
    def dead(self) -> np.ndarray:
        """`[F]` bool: filters that respond to no image."""
        return np.logical_not(self.live.any(axis=0))

    def strongest(self, count: int | np.ndarray) -> np.ndarray:
        """Selects the images on which each filter responds most.

        Args:
            count: number of images per filter, a number or `[F]`. Silent images are never selected; of equal
                peaks, the earlier image comes first.

        Returns:
            `[N, F]` bool.
        """
        order = np.argsort(-self.values, axis=0, kind="stable")
        kept = np.zeros(self.values.shape, bool)
        np.put_along_axis(kept, order, np.arange(len(order))[:, None] < count, axis=0)
        return kept & self.live
