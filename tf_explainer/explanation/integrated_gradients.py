"""Integrated gradients: what activations add to a score above the score of a baseline.

With activations `a`, a baseline `b`, and a score `s(a)`,

    contribution of unit u = (a_u - b_u) * mean over t of  ds/da_u (b + t (a - b)),   t in (0, 1)

and the contributions of all units sum to `s(a) - s(b)` (completeness), but for the error of the mean over a
few t, the gap. Source: M. Sundararajan, A. Taly, Q. Yan, arXiv:1703.01365. Along the path a ReLU network's
gradient is constant but for jumps: there the midpoint rule is as good as any, and Gauss's does worse.

Gradient times activation is the same from a baseline of zeros with the one node t = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_explainer.config import AttributionConfig


def nodes(config: AttributionConfig) -> np.ndarray:
    """Returns where on the path the gradient is taken, `[N]` float32 in (0, 1]; all count the same."""
    if config.method == "gradient_x_activation":
        return np.ones(1, np.float32)
    return ((np.arange(config.steps) + 0.5) / config.steps).astype(np.float32)


def points(activations: Any, baseline: Any, shares: Any) -> Any:
    """Returns points between a baseline and activations.

    Args:
        activations: `[B, ..., F]`.
        baseline: what broadcasts to them.
        shares: how far on the way from the baseline each of N points is: `[N]`, or `[N, F]`, filter by
            filter.

    Returns:
        `[B * N, ..., F]`, an image's points after one another.
    """
    places = [1] * (len(activations.shape) - 2)
    shares = ops.reshape(shares, (1, -1, *places, 1 if len(shares.shape) == 1 else shares.shape[1]))
    path = ops.expand_dims(baseline + 0 * activations, 1) + shares * ops.expand_dims(
        activations - baseline, 1
    )
    return ops.reshape(path, (-1, *ops.shape(activations)[1:]))


def mean_over_points(gradients: Any, count: int) -> Any:
    """Returns the mean over an image's points, `[B, ..., F]`.

    Args:
        gradients: `[B * N, ..., F]`, of the score at the path's points.
        count: N, of the path's nodes.
    """
    return ops.mean(ops.reshape(gradients, (-1, count, *ops.shape(gradients)[1:])), axis=1)
