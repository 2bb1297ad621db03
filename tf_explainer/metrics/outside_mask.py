"""How much of the interpretable track the papers' mask would take away."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics.peaks import Peaks

SLOPE = 4.0
"""Of the papers' template: the mask ends at a city-block distance of a quarter of the map from the peak."""


class MassOutsideMask:
    """The share of activations that lie where the papers' mask is 0.

    A part share p is comparable with the papers' only where this is 0: else whole maps, background and all,
    count as parts.
    """

    def __init__(self) -> None:
        self._outside = self._whole = 0.0

    def add(self, maps: np.ndarray) -> None:
        """Takes in a batch of the interpretable track's features, `[B, L, L, F]`, non-negative."""
        side = maps.shape[1]
        rows, columns = np.divmod(Peaks.of(maps).units, side)
        place = np.arange(side)
        down = np.abs(place[:, None] - rows[:, None, :])[:, :, None]
        across = np.abs(place[:, None] - columns[:, None, :])[:, None]
        outside = (down + across) * SLOPE >= side
        self._outside += float(maps.sum(where=outside, dtype=np.float64))
        self._whole += float(maps.sum(dtype=np.float64))

    @property
    def share(self) -> float:
        """In [0, 1]; NaN before any activation was seen."""
        return self._outside / self._whole if self._whole else float("nan")
