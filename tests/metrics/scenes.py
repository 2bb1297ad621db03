"""Layers whose filters follow landmarks in a known way."""

from __future__ import annotations

import numpy as np

from tests.metrics.examples import GRID, SIDE


def maps_at(units: np.ndarray) -> np.ndarray:
    """Maps of filters that peak at given units, `[N, F, 2]` rows and columns; -1: silent."""
    images, filters, _ = units.shape
    maps = np.zeros((images, SIDE, SIDE, filters), np.float32)
    for n, f in np.ndindex(images, filters):
        if (units[n, f] >= 0).all():
            maps[n, *units[n, f], f] = 1
    return maps


def riders() -> tuple[np.ndarray, np.ndarray]:
    """Head and legs on units of their own, and filters that ride on them.

    Returns:
        Peak units `[30, 5, 2]` of filters on the head, beside the head, on the legs, at a fixed place, and
        of a dead one; landmarks `[30, 2, 4]`: head, legs.
    """
    random = np.random.default_rng(0)
    head, legs = random.integers(0, 4, (2, 30, 2))
    fixed, silent = np.full((30, 2), 3), np.full((30, 2), -1)
    places = GRID.first + GRID.spacing * np.stack([head, legs], axis=1)
    landmarks = np.concatenate([places, np.full((30, 2, 2), GRID.extent)], axis=-1)
    return np.stack([head, head + 1, legs, fixed, silent], axis=1), landmarks
