"""What makes groups of filters object parts (ours; no label is used).

Left alone, filters become copies of one detector of whatever is found most easily. Here they are divided into
groups before training (`PartPrototypes`). The members of a group peak in one place (consensus), different
groups in different places (competition), and a group where features look like its prototype (prototype loss).
Every function returns this replica's share of its term, in float32.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer.explainer import cross_replica

_TINY = 1e-12


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
    mass = ops.power(maps / ops.maximum(ops.stop_gradient(peak), _TINY), 3)
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1))
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1))
    place = ops.stack([ops.sum(mass * rows, (1, 2)), ops.sum(mass * columns, (1, 2))], axis=-1)
    return place / ops.maximum(ops.sum(mass, (1, 2)), _TINY)[..., None]


def part_votes(maps: Any, members: Any) -> Any:
    """Returns where the filters of each group point: the mean of their maps, each divided by its own peak.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        members: `[F, K]`, 1 where a filter belongs to a group, else 0.

    Returns:
        `[B, L * L, K]` float32 in [0, 1].
    """
    _, height, width, filters = ops.shape(maps)
    maps, members = ops.cast(maps, "float32"), ops.cast(members, "float32")
    scaled = maps / ops.maximum(ops.max(maps, axis=(1, 2), keepdims=True), _TINY)
    flat = ops.reshape(scaled, (-1, height * width, filters))
    return ops.matmul(flat, members) / ops.maximum(ops.sum(members, axis=0), 1)


def consensus_loss(maps: Any, strength: Any, members: Any) -> Any:
    """How far filters peak from the peak of their group.

    With `mu_bf` the soft peak of filter f on image b, and `c_bk` the mean of mu_bf over group k weighted by
    strength: `mean |mu_bf - c_bk|^2 / n`, weighted by strength.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        strength: `[B, F]`, how much each response counts, non-negative; it carries no gradient.
        members: `[F, K]`, 1 where a filter belongs to a group, else 0.

    Returns:
        A float32 scalar.
    """
    members = ops.cast(members, "float32")
    # A filter in no group has nobody to agree with.
    weight = ops.stop_gradient(ops.cast(strength, "float32")) * ops.sum(members, axis=1)
    peaks = soft_peaks(maps)
    mass = ops.matmul(weight, members)  # [B, K]
    weighted = ops.transpose(weight[..., None] * peaks, (0, 2, 1))  # [B, 2, F]
    centres = ops.matmul(weighted, members) / ops.maximum(mass, _TINY)[:, None]  # [B, 2, K]
    offset = peaks - ops.transpose(ops.matmul(centres, ops.transpose(members)), (0, 2, 1))
    spread = ops.sum(weight * ops.sum(ops.square(offset), axis=-1))
    return spread / (ops.maximum(cross_replica.total(ops.sum(weight)), _TINY) * ops.shape(maps)[1])


def competition_loss(parts: Any, weight: Any) -> Any:
    """How much the maps of different groups overlap: the mean cosine over pairs of groups.

    Args:
        parts: `[B, U, K]`, from `part_votes`.
        weight: `[B]`, how much each image counts, non-negative.

    Returns:
        A float32 scalar in [0, 1]; 0 where there is only one group.
    """
    groups = parts.shape[-1]
    direction = _directions(parts)
    cosines = ops.matmul(ops.transpose(direction, (0, 2, 1)), direction)  # [B, K, K]
    others = cosines * (1 - ops.eye(groups))
    of_image = ops.sum(others, axis=(1, 2)) / max(groups * (groups - 1), 1)
    return ops.sum(weight * of_image) / ops.maximum(cross_replica.total(ops.sum(weight)), _TINY)


def prototype_loss(parts: Any, responsibilities: Any, weight: Any) -> Any:
    """How far groups are from where features look like their prototypes: 1 minus the cosine of the two maps.

    Args:
        parts: `[B, U, K]`, from `part_votes`.
        responsibilities: `[B, L, L, K]` with `L * L = U`, from `PartPrototypes`; without a gradient. A
            prototype counts on an image by its largest responsibility there.
        weight: `[B]`, how much each image counts, non-negative.

    Returns:
        This replica's share of the mean, a float32 scalar in [0, 1] over all.
    """
    target = ops.stop_gradient(ops.reshape(responsibilities, (-1, *parts.shape[1:])))
    present = weight[:, None] * ops.max(target, axis=1)  # [B, K]
    cosine = ops.sum(_directions(parts) * _directions(target), axis=1)
    return ops.sum(present * (1 - cosine)) / ops.maximum(cross_replica.total(ops.sum(present)), _TINY)


def _directions(maps: Any) -> Any:
    """Scales the maps `[B, U, K]` to a norm of 1."""
    return maps / ops.sqrt(ops.maximum(ops.sum(ops.square(maps), axis=1, keepdims=True), _TINY))
