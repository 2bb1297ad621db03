"""The part templates of ICNN (arXiv:1710.00935, section 3) and their prior.

Templates are not scaled by the papers' `tau = 0.5 / n^2`: the filter loss has a temperature instead, and the
papers' mask divides by tau anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

SPREAD_TIMES_SLOPE, SLOPES = 3.0, (1.5, 3.0)
"""ICNN's released code learns the slope as 3 / spread, clipped to this range; places are in [-1, 1]."""

_TINY = 1e-12


def positive_templates(n: int, beta: float) -> np.ndarray:
    """Returns `T_mu[i, j] = max(1 - beta * |[i, j] - mu|_1 / n, -1)` for every location mu.

    Args:
        n: side of the feature map, in units.
        beta: slope; 4 in the papers.

    Returns:
        `[n * n, n, n]` float32 in [-1, 1]; the first axis is mu, row by row.
    """
    place = np.arange(n)
    distance = np.abs(place[:, None] - place[None, :])
    city_block = distance[:, None, :, None] + distance[None, :, None, :]
    return np.maximum(1 - beta * city_block / n, -1).astype(np.float32).reshape(n * n, n, n)


def template_matrix(n: int, beta: float) -> np.ndarray:
    """Returns all templates as rows: every `T_mu`, then `T_minus = -1`.

    Returns:
        `[n * n + 1, n * n]` float32; one matrix product with it gives `<x, T>` for all templates.
    """
    positive = positive_templates(n, beta).reshape(n * n, n * n)
    return np.concatenate([positive, np.full((1, n * n), -1, np.float32)])


def template_prior(n: int) -> np.ndarray:
    """Returns `p(T)`: `a / n^2` for each `T_mu` and `1 - a` for `T_minus`, with `a = n^2 / (1 + n^2)`.

    Returns:
        `[n * n + 1]` float32 that sums to 1, in the order of `template_matrix`. With this a, the papers'
        choice, every template has the same prior.
    """
    a = n * n / (1 + n * n)
    return np.append(np.full(n * n, a / (n * n)), 1 - a).astype(np.float32)


def peak(maps: Any) -> Any:
    """Returns the index of each map's highest unit, counted row by row; the first one of equal units.

    Args:
        maps: `[B, L, L, F]`.

    Returns:
        `[B, F]` int, in [0, L * L).
    """
    _, height, width, filters = ops.shape(maps)
    flat = ops.reshape(maps, (-1, height * width, filters))
    # Faster than the argmax of floats, and ONNX supports all of these operations.
    return ops.argmax(ops.cast(flat >= ops.max(flat, axis=1, keepdims=True), "int8"), axis=1)


def distance_from_peak(maps: Any) -> Any:
    """Returns every unit's city-block distance from its map's peak; the first one of equal peaks.

    Args:
        maps: `[B, L, L, F]`.

    Returns:
        `[B, L, L, F]` float32, in units, without a gradient.
    """
    width = ops.shape(maps)[2]
    place = peak(maps)[:, None, None, :]
    rows, columns = rows_and_columns(maps)
    down, across = ops.cast(place // width, "float32"), ops.cast(place % width, "float32")
    return ops.stop_gradient(ops.abs(rows - down) + ops.abs(columns - across))


def centre(maps: Any) -> Any:
    """Returns each map's centre of activation, rounded to whole units, as in ICNN's released code.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, 2, F]` float32, row and column, in [0, L - 1]; 0 for silent maps.
    """
    maps = ops.cast(maps, "float32")
    total = ops.maximum(ops.sum(maps, (1, 2)), _TINY)
    moments = [ops.sum(maps * axis, (1, 2)) / total for axis in rows_and_columns(maps)]
    return ops.stop_gradient(ops.floor(ops.stack(moments, axis=1) + 0.5))


def centred_templates(maps: Any, beta: Any) -> Any:
    """Returns the template around the centre mu of every map, `max(1 - beta |[i, j] - mu|_1 / n, -1)`.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        beta: `[F]`, the filters' slopes.

    Returns:
        `[B, L, L, F]` float32 in [-1, 1], without a gradient.
    """
    distance = sum(ops.abs(offset) for offset in _offsets(maps))
    return ops.stop_gradient(ops.maximum(1 - distance * beta / ops.shape(maps)[1], -1))


def spread(maps: Any) -> Any:
    """Returns the standard deviation of each map's activation about its rounded centre.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, F]` float32, in units; 0 for silent maps.
    """
    square = sum(ops.square(offset) for offset in _offsets(maps))
    maps = ops.cast(maps, "float32")
    return ops.sqrt(ops.sum(maps * square, (1, 2)) / ops.maximum(ops.sum(maps, (1, 2)), _TINY))


def rows_and_columns(maps: Any) -> tuple[Any, Any]:
    """Returns the units' row and column numbers in maps `[B, L, L, F]`, `[1, L, 1, 1]` and `[1, 1, L, 1]`."""
    _, height, width, _ = ops.shape(maps)
    return (
        ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1)),
        ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1)),
    )


def _offsets(maps: Any) -> tuple[Any, Any]:
    """Returns row and column offsets from the centre of each map."""
    row, column = ops.unstack(centre(maps), axis=1)
    rows, columns = rows_and_columns(maps)
    return rows - row[:, None, None], columns - column[:, None, None]


def learned_beta(weighted_spread: Any, weight: Any, n: int) -> Any:
    """Returns the slope of a template as wide as the filter's maps, as in ICNN's released code.

    There, a template falls by `slope * |[i, j] - mu|_1` with places in [-1, 1], so that a unit is
    `2 / (n - 1)`. The slope is `3 / spread`, with the spread in units, clipped to [1.5, 3]. Our beta is per
    side of the map and therefore `2 n / (n - 1)` times as large.

    Args:
        weighted_spread: `[F]`, mean over images of `spread` times weight.
        weight: `[F]`, mean weight; if it is 0, the narrowest template is used.
        n: side of the maps.

    Returns:
        `[F]`, at n = 14 in [3.23, 6.46].
    """
    slope = SPREAD_TIMES_SLOPE * weight / ops.maximum(weighted_spread, _TINY)
    slope = ops.where(weight > 0, slope, SLOPES[-1])
    return 2 * n / (n - 1) * ops.clip(slope, *SLOPES)
