"""Part share: how much of the mixed features is object parts."""

from __future__ import annotations

import numpy as np


class EnergyShare:
    """The interpretable track's share of the energy of `x_enc = p * x_interp + (1 - p) * x_ordin`.

    `sum ||p x_interp||^2 / (sum ||p x_interp||^2 + sum ||(1 - p) x_ordin||^2)`, sums over images; the product
    of the tracks belongs to neither and is left out.

    Args:
        part_share: p, in (0, 1).
    """

    def __init__(self, part_share: float) -> None:
        self._part_share = part_share
        self._interpretable = self._ordinary = 0.0

    def add(self, interpretable: np.ndarray, ordinary: np.ndarray) -> None:
        """Takes in a batch of the two tracks' normalised features, `[B, L, L, D]`."""
        self._interpretable += self._part_share**2 * _energy(interpretable)
        self._ordinary += (1 - self._part_share) ** 2 * _energy(ordinary)

    @property
    def value(self) -> float:
        """In [0, 1]; NaN before any activation was seen."""
        total = self._interpretable + self._ordinary
        return self._interpretable / total if total else float("nan")


def _energy(values: np.ndarray) -> float:
    return float(np.square(values, dtype=np.float64).sum())
