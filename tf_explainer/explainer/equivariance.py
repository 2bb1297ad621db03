"""Equivariance: on a view of an image filters peak where the view takes their peaks (ours; no label).

A filter that follows a part goes with it when the crop is mirrored, moved or narrowed; one that follows
the crop's frame or its background stays behind.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer.explainer import cross_replica
from tf_explainer.explainer.part_losses import soft_peaks

_TINY = 1e-12


def equivariance_loss(maps: Any, strength: Any, affine: Any) -> Any:
    """How far peaks on views are from where the views move the originals' peaks.

    With `mu` the soft peak of a filter on the original, `mu_v` that on a view, and `A` the map between them:
    `mean |mu_v - A mu|^2 / n` over images, views and filters, each weighted by the geometric mean of the two
    strengths; where A moves the peak out of the view it does not count.

    Args:
        maps: `[B * V, L, L, F]`, non-negative; an image's V views follow each other, the original first.
        strength: `[B * V, F]`, how much each response counts, non-negative; it carries no gradient.
        affine: `[B, V, 4]` float32, from the original to each view: scale_y, offset_y, scale_x, offset_x,
            offsets in units of the map.

    Returns:
        This replica's share of the term, a float32 scalar.
    """
    _, count, _ = affine.shape
    side, filters = maps.shape[1], maps.shape[3]
    peaks = ops.reshape(soft_peaks(maps), (-1, count, filters, 2))
    weight = ops.reshape(ops.stop_gradient(ops.cast(strength, "float32")), (-1, count, filters))
    affine = ops.cast(affine, "float32")[:, 1:, None, :]  # [B, V - 1, 1, 4]
    scale = ops.stack([affine[..., 0], affine[..., 2]], axis=-1)
    offset = ops.stack([affine[..., 1], affine[..., 3]], axis=-1)

    moved = scale * peaks[:, :1] + offset
    to_be_seen = ops.all(ops.logical_and(moved >= -0.5, moved <= side - 0.5), axis=-1)
    weight = ops.sqrt(weight[:, :1] * weight[:, 1:]) * ops.cast(to_be_seen, "float32")
    apart = ops.sum(ops.square(peaks[:, 1:] - moved), axis=-1)
    total = ops.maximum(cross_replica.total(ops.sum(weight)), _TINY)
    return ops.sum(weight * apart) / (total * side)
