"""The part templates of ICNN (arXiv:1710.00935, section 3) and their prior.

Everything is unit-free: the papers' `tau = 0.5 / n^2` is left to the temperature of the filter loss, and
the mask of the papers divides by tau anyway.
"""

from __future__ import annotations

import numpy as np


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
