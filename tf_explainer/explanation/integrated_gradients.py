"""Integrated gradients: what each activation adds to a score, relative to a baseline.

With activations `a`, a baseline `b`, and a score `s(a)`,

    contribution of unit u = (a_u - b_u) * mean over t of  ds/da_u (b + t (a - b)),   t in (0, 1)

and the contributions of all units sum to `s(a) - s(b)` (completeness) plus an error, the gap, because the
mean is taken over few t. Source: M. Sundararajan, A. Taly, Q. Yan, arXiv:1703.01365. Along the path, the
gradient of a ReLU network is piecewise constant, for which the midpoint rule is better than Gauss's rule.

Gradient times activation is the special case of a baseline of zeros and the single node t = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_explainer.config import AttributionConfig


def nodes(config: AttributionConfig) -> np.ndarray:
    """Returns where on the path the gradient is taken, `[N]` float32 in (0, 1], equally weighted."""
    if config.method == "gradient_x_activation":
        return np.ones(1, np.float32)
    return ((np.arange(config.steps) + 0.5) / config.steps).astype(np.float32)


def points(activations: Any, baseline: Any, shares: Any) -> Any:
    """Returns points between a baseline and activations.

    Args:
        activations: `[B, ..., F]`.
        baseline: broadcasts to the activations.
        shares: of the activations in each of N points, `[N]` or, filter by filter, `[N, F]`.

    Returns:
        `[B * N, ..., F]`, grouped by image.
    """
    places = [1] * (len(activations.shape) - 2)
    shares = ops.reshape(shares, (1, -1, *places, 1 if len(shares.shape) == 1 else shares.shape[1]))
    path = ops.expand_dims(baseline + 0 * activations, 1) + shares * ops.expand_dims(
        activations - baseline, 1
    )
    return ops.reshape(path, (-1, *ops.shape(activations)[1:]))


def mean_over_points(gradients: Any, count: int) -> Any:
    """Returns the mean over the points of each image, `[B, ..., F]`.

    Args:
        gradients: `[B * N, ..., F]`, of the score at the points of the paths.
        count: N, the number of nodes of a path.
    """
    return ops.mean(ops.reshape(gradients, (-1, count, *ops.shape(gradients)[1:])), axis=1)
