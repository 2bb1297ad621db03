"""The part templates of ICNN (arXiv:1710.00935, section 3) and their prior.

Everything is unit-free: the papers' `tau = 0.5 / n^2` is left to the temperature of the filter loss, and
the mask of the papers divides by tau anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

SPREAD_TIMES_SLOPE, SLOPES = 3.0, (1.5, 3.0)
"""How ICNN's released code learns a slope: 3 / spread, within a range, in half sides of the map."""

_TINY = 1e-12


def positive_templates(n: int, beta: float) -> np.ndarray:
    """Returns `T_mu[i, j] = max(1 - beta * |[i, j] - mu|_1 / n, -1)` for every location mu.

    Args:
        n: side of the feature map, in units.
        beta: slope; 4 in the papers.

    Returns:
        `[n * n, n, n]` float32 in [-1, 1]; the first axis runs over mu, row by row.
    """
    place = np.arange(n)
    distance = np.abs(place[:, None] - place[None, :])
    city_block = distance[:, None, :, None] + distance[None, :, None, :]
    return np.maximum(1 - beta * city_block / n, -1).astype(np.float32).reshape(n * n, n, n)


def template_matrix(n: int, beta: float) -> np.ndarray:
    """Returns all templates as rows: every `T_mu`, then `T_minus = -1`.

    Returns:
        `[n * n + 1, n * n]` float32, so that `<x, T>` of all templates is one matrix product.
    """
    positive = positive_templates(n, beta).reshape(n * n, n * n)
    return np.concatenate([positive, np.full((1, n * n), -1, np.float32)])


def template_prior(n: int) -> np.ndarray:
    """Returns `p(T)`: `a / n^2` for each `T_mu` and `1 - a` for `T_minus`, with `a = n^2 / (1 + n^2)`.

    Returns:
        `[n * n + 1]` float32 that sums to 1, in the order of `template_matrix`. (With this a, the papers'
        choice, every template has the same prior.)
    """
    a = n * n / (1 + n * n)
    return np.append(np.full(n * n, a / (n * n)), 1 - a).astype(np.float32)


def peak(maps: Any) -> Any:
    """Returns where each filter is highest, row by row, the first of equals.

    Args:
        maps: `[B, L, L, F]`.

    Returns:
        `[B, F]` int, in [0, L * L).
    """
    _, height, width, filters = ops.shape(maps)
    flat = ops.reshape(maps, (-1, height * width, filters))
    # Faster than the argmax of floats, and ONNX has all of it.
    return ops.argmax(ops.cast(flat >= ops.max(flat, axis=1, keepdims=True), "int8"), axis=1)


def distance_from_peak(maps: Any) -> Any:
    """Returns every unit's city-block distance from its filter's peak, the first of equals.

    Args:
        maps: `[B, L, L, F]`.

    Returns:
        `[B, L, L, F]` float32, in units, without a gradient.
    """
    _, height, width, _ = ops.shape(maps)
    place = peak(maps)[:, None, None, :]
    row = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    column = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    rows, columns = ops.cast(place // width, "float32"), ops.cast(place % width, "float32")
    return ops.stop_gradient(ops.abs(row - rows) + ops.abs(column - columns))


def centre(maps: Any) -> Any:
    """Returns the centre of a map's activation, rounded to a unit, as ICNN's released code has it.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, 2, F]` float32, row and column, in [0, L - 1]; 0 for silent maps.
    """
    maps = ops.cast(maps, "float32")
    total = ops.maximum(ops.sum(maps, (1, 2)), _TINY)
    moments = (ops.sum(maps * axis, (1, 2)) / total for axis in _axes(maps))
    return ops.stop_gradient(ops.floor(ops.stack(list(moments), axis=1) + 0.5))


def centred_templates(maps: Any, beta: Any) -> Any:
    """Returns the template at the centre of every map, `max(1 - beta |[i, j] - mu|_1 / n, -1)`.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        beta: `[F]`, slopes.

    Returns:
        `[B, L, L, F]` float32 in [-1, 1], without a gradient.
    """
    distance = sum(ops.abs(offset) for offset in _offsets(maps))
    return ops.stop_gradient(ops.maximum(1 - distance * beta / ops.shape(maps)[1], -1))


def spread(maps: Any) -> Any:
    """Returns the standard deviation of a map's activation about its (rounded) centre.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, F]` float32, in units; 0 for silent maps.
    """
    square = sum(ops.square(offset) for offset in _offsets(maps))
    maps = ops.cast(maps, "float32")
    return ops.sqrt(ops.sum(maps * square, (1, 2)) / ops.maximum(ops.sum(maps, (1, 2)), _TINY))


def _axes(maps: Any) -> tuple[Any, Any]:
    _, height, width, _ = ops.shape(maps)
    return (
        ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1)),
        ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1)),
    )


def _offsets(maps: Any) -> tuple[Any, Any]:
    """Returns rows and columns counted from the centre of each map."""
    row, column = ops.unstack(centre(maps), axis=1)
    rows, columns = _axes(maps)
    return rows - row[:, None, None], columns - column[:, None, None]


def learned_beta(weighted_spread: Any, weight: Any, n: int) -> Any:
    """Returns the slope of the template that is as wide as a filter's maps, by ICNN's released code.

    There a template falls by `slope * |[i, j] - mu|_1` with places in [-1, 1], a unit being `2 / (n - 1)`,
    and the slope is `3 / spread`, the spread in units, within [1.5, 3]. As a beta, which is by sides of the
    map, that is `2 n / (n - 1)` times as much.

    Args:
        weighted_spread: `[F]`, mean of `spread` times weight over images.
        weight: `[F]`, mean weight; 0 stands for the narrowest template.
        n: side of the maps.

    Returns:
        `[F]`, at n = 14 in [3.23, 6.46].
    """
    slope = SPREAD_TIMES_SLOPE * weight / ops.maximum(weighted_spread, _TINY)
    slope = ops.where(weight > 0, slope, SLOPES[-1])
    return 2 * n / (n - 1) * ops.clip(slope, *SLOPES)
