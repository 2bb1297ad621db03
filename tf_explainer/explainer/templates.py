"""The part templates of ICNN (arXiv:1710.00935, section 3) and their prior.

Everything is unit-free: the papers' `tau = 0.5 / n^2` is left to the temperature of the filter loss, and
the mask of the papers divides by tau anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

BETA_RANGE = (1.5, 3.0)
"""Slopes that ICNN's released code allows."""

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


def distance_from_peak(maps: Any) -> Any:
    """Returns every unit's city-block distance from its filter's peak, the first of equals.

    Args:
        maps: `[B, L, L, F]`.

    Returns:
        `[B, L, L, F]` float32, in units, without a gradient.
    """
    _, height, width, filters = ops.shape(maps)
    flat = ops.reshape(maps, (-1, height * width, filters))
    # Faster than the argmax of floats, and ONNX has all of it.
    is_peak = ops.cast(flat >= ops.max(flat, axis=1, keepdims=True), "int8")
    peak = ops.argmax(is_peak, axis=1)[:, None, None, :]
    row = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    column = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    rows, columns = ops.cast(peak // width, "float32"), ops.cast(peak % width, "float32")
    return ops.stop_gradient(ops.abs(row - rows) + ops.abs(column - columns))


def spread(maps: Any) -> Any:
    """Returns the mean distance of a map's activation from its peak, `sum_ij x_ij d_ij / sum_ij x_ij`.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, F]` float32, in units; 0 for silent maps.
    """
    maps = ops.cast(maps, "float32")
    return ops.sum(maps * distance_from_peak(maps), (1, 2)) / ops.maximum(ops.sum(maps, (1, 2)), _TINY)


def learned_beta(mean_spread: Any, n: int) -> Any:
    """Returns the slope of the template that is as wide as a filter's maps are (ICNN learns beta, too).

    The positive part of a template of slope beta is a cone of city-block radius `n / beta`, whose mean
    distance from its peak is half of that; beta stays in ICNN's range.

    Args:
        mean_spread: `[F]`, mean of `spread` over images.
        n: side of the maps.

    Returns:
        `[F]` in [1.5, 3].
    """
    return ops.clip(n / ops.maximum(2 * mean_spread, _TINY), *BETA_RANGE)
