"""Constellations: where filters peak relative to one another (ours; no label is used).

Left alone, filters become copies of one detector. Divided into constellations, each filter keeps its place
in its own (consistency), places differ (repulsion), and the anchors of constellations move independently of
one another (independence). Every function returns this replica's share of its term, in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_explainer.explainer import cross_replica

_TINY = 1e-12


def members(filters: int, constellations: int) -> np.ndarray:
    """Divides filters among constellations, in turn.

    Returns:
        `[F, G]` float32, 1 where filter f is in constellation g, else 0.
    """
    return np.eye(constellations, dtype=np.float32)[np.arange(filters) % constellations]


def soft_peaks(maps: Any) -> Any:
    """Returns where each filter peaks, differentiably: the mean place under `x^3`.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, F, 2]` float32, row and column in units; the map's corner (0, 0) where a map is silent.
    """
    _, height, width, _ = ops.shape(maps)
    maps = ops.cast(maps, "float32")
    # Scaled to a peak of 1 first: cubes of large or small activations leave float32's range.
    peak = ops.max(maps, axis=(1, 2), keepdims=True)
    mass = ops.power(maps / ops.maximum(ops.stop_gradient(peak), 1e-12), 3)
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    place = ops.stack([ops.sum(mass * rows, (1, 2)), ops.sum(mass * columns, (1, 2))], axis=-1)
    return place / ops.maximum(ops.sum(mass, (1, 2)), 1e-12)[..., None]


def constellation_losses(
    maps: Any, strength: Any, members: Any, width: float, independence_width: float
) -> dict[str, Any]:
    """Consistency, repulsion and independence of constellations.

    With `mu_bf` the soft peak of filter f on image b, `c_bg` the mean of mu_bf over the filters of
    constellation g (the anchor), `o_bf = mu_bf - c_bg`, `o_f` its mean over images, and `v_gh` the variance
    over images of `c_bg - c_bh` (all means weighted by strength):

    - consistency = `mean_bf |o_bf - o_f|^2 / n`
    - repulsion = `mean over f != g of one constellation: exp(-|o_f - o_g|^2 / (2 width^2))`
    - independence = `mean over g != h: exp(-v_gh / (2 independence_width^2))`: 1 if one constellation rides
      on the other, less the more freely they move; 0 where there is only one.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        strength: `[B, F]`, how much each response counts, non-negative; it carries no gradient.
        members: `[F, G]`, 1 where a filter belongs to a constellation, else 0; one each.
        width: reach of the repulsion, in units.
        independence_width: movement, in units, from which constellations count as independent.

    Returns:
        Three float32 scalars by name.
    """
    members = ops.cast(ops.convert_to_tensor(members), "float32")
    weight = ops.stop_gradient(ops.cast(strength, "float32"))
    peaks = soft_peaks(maps)
    side = ops.shape(maps)[1]

    mass = ops.matmul(weight, members)  # [B, G]
    weighted = ops.transpose(weight[..., None] * peaks, (0, 2, 1))  # [B, 2, F]
    anchors = ops.matmul(weighted, members) / ops.maximum(mass, _TINY)[:, None, :]  # [B, 2, G]
    offset = peaks - ops.transpose(ops.matmul(anchors, ops.transpose(members)), (0, 2, 1))
    of_filter = ops.maximum(cross_replica.total(ops.sum(weight, 0)), _TINY)
    place = cross_replica.total(ops.sum(weight[..., None] * offset, 0)) / of_filter[:, None]

    spread = ops.sum(weight[..., None] * ops.square(offset - place))
    consistency = spread / (ops.maximum(cross_replica.total(ops.sum(weight)), _TINY) * side)
    return {
        "consistency": consistency,
        "repulsion": _repulsion(place, members, width) / cross_replica.replicas(),
        "independence": _independence(anchors, mass, independence_width) / cross_replica.replicas(),
    }


def _repulsion(place: Any, members: Any, width: float) -> Any:
    norm = ops.sum(ops.square(place), -1)
    distance = ops.maximum(norm[:, None] + norm[None, :] - 2 * ops.matmul(place, ops.transpose(place)), 0)
    together = ops.matmul(members, ops.transpose(members))
    filters = ops.sum(members)
    closeness = ops.sum(together * ops.exp(-distance / (2 * width**2))) - filters
    return closeness / ops.maximum(ops.sum(together) - filters, 1)


def _independence(anchors: Any, mass: Any, width: float) -> Any:
    """Compares the movements of all pairs of anchors `[B, 2, G]`, on images where both are seen."""
    count = ops.shape(mass)[-1]
    if count == 1:
        return ops.zeros(())
    seen = ops.minimum(mass[:, :, None], mass[:, None, :])  # [B, G, G]
    apart = anchors[..., :, None] - anchors[..., None, :]  # [B, 2, G, G]
    images = ops.maximum(cross_replica.total(ops.sum(seen, 0)), _TINY)
    mean = cross_replica.total(ops.sum(seen[:, None] * apart, 0)) / images
    squares = ops.sum(ops.square(apart - mean), 1)
    variance = cross_replica.total(ops.sum(seen * squares, 0)) / images
    others = 1 - ops.eye(count)
    return ops.sum(others * ops.exp(-variance / (2 * width**2))) / (count * (count - 1))
