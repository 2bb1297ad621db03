"""Equivariance: in a transformed view of an image, peaks should move as the view does (ours; no labels).

When the crop is mirrored, shifted or narrowed, a filter that follows a part moves with the part. A filter
that follows the crop's frame or the background does not.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer.explainer import cross_replica
from tf_explainer.explainer.part_losses import soft_peaks

_TINY = 1e-12


def equivariance_loss(maps: Any, strength: Any, affine: Any) -> Any:
    """Measures how far the peaks in views are from the transformed peaks of the original.

    Let `mu` be the soft peak of a filter on the original, `mu_v` its soft peak on a view, and `A` the affine
    map from the original to the view. The loss is the mean of `|mu_v - A mu|^2 / n` over images, views and
    filters, weighted by the geometric mean of the two strengths. Peaks that A moves out of the view do not
    count.

    Args:
        maps: `[B * V, L, L, F]`, non-negative; the V views of an image are consecutive, the original first.
        strength: `[B * V, F]`, the weight of each response, non-negative; it carries no gradient.
        affine: `[B, V, 4]` float32, the map from the original to each view: scale_y, offset_y, scale_x,
            offset_x; offsets in units of the feature map.

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
    visible = ops.all(ops.logical_and(moved >= -0.5, moved <= side - 0.5), axis=-1)
    weight = ops.sqrt(weight[:, :1] * weight[:, 1:]) * ops.cast(visible, "float32")
    distance = ops.sum(ops.square(peaks[:, 1:] - moved), axis=-1)
    total = ops.maximum(cross_replica.total(ops.sum(weight)), _TINY)
    return ops.sum(weight * distance) / (total * side)
