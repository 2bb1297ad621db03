"""Measures how much of the interpretable track the papers' mask would remove."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics.peaks import Peaks

SLOPE = 4.0
"""Slope of the papers' template: the mask ends at a city-block distance of a quarter of the map's side."""


class MassOutsideMask:
    """The share of activations that lie where the papers' mask is 0.

    A part share p is comparable with the papers' only if this share is 0; otherwise activations far from the
    peak, such as those on the background, count as parts too.
    """

    def __init__(self) -> None:
        self._outside = self._total = 0.0

    def add(self, maps: np.ndarray) -> None:
        """Adds a batch of the interpretable track's features, `[B, L, L, F]`, non-negative."""
        side = maps.shape[1]
        rows, columns = np.divmod(Peaks.of(maps).units, side)
        place = np.arange(side)
        down = np.abs(place[:, None] - rows[:, None, :])[:, :, None]
        across = np.abs(place[:, None] - columns[:, None, :])[:, None]
        outside = (down + across) * SLOPE >= side
        self._outside += float(maps.sum(where=outside, dtype=np.float64))
        self._total += float(maps.sum(dtype=np.float64))

    @property
    def share(self) -> float:
        """The share, in [0, 1]; NaN if no activation has been added."""
        return self._outside / self._total if self._total else float("nan")
