"""Losses that turn groups of filters into object parts (ours; no labels are used).

Without them, all filters tend to detect whatever is easiest to find. They are therefore divided into groups
before training (`PartPrototypes`). The filters of a group should peak at the same place (consensus),
different groups at different places (competition), and each group where the features resemble its prototype
(prototype loss). Every loss returns this replica's share of its term, in float32.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer.explainer import cross_replica, templates

_TINY = 1e-12


def soft_peaks(maps: Any) -> Any:
    """Returns a differentiable position of each filter's peak: the mean position weighted by `x^3`.

    Args:
        maps: `[B, L, L, F]`, non-negative.

    Returns:
        `[B, F, 2]` float32, row and column in units; (0, 0) for silent maps.
    """
    maps = ops.cast(maps, "float32")
    # Scaled to a peak of 1 first, because cubes of large or small activations leave float32's range.
    peak = ops.max(maps, axis=(1, 2), keepdims=True)
    mass = ops.power(maps / ops.maximum(ops.stop_gradient(peak), _TINY), 3)
    place = ops.stack([ops.sum(mass * axis, (1, 2)) for axis in templates.rows_and_columns(maps)], axis=-1)
    return place / ops.maximum(ops.sum(mass, (1, 2)), _TINY)[..., None]


def part_votes(maps: Any, members: Any) -> Any:
    """Returns the map of each group: the mean of its filters' maps, each divided by its own peak.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        members: `[F, K]`, 1 if a filter belongs to a group, else 0.

    Returns:
        `[B, L * L, K]` float32 in [0, 1].
    """
    _, height, width, filters = ops.shape(maps)
    maps, members = ops.cast(maps, "float32"), ops.cast(members, "float32")
    scaled = maps / ops.maximum(ops.max(maps, axis=(1, 2), keepdims=True), _TINY)
    flat = ops.reshape(scaled, (-1, height * width, filters))
    return ops.matmul(flat, members) / ops.maximum(ops.sum(members, axis=0), 1)


def consensus_loss(maps: Any, strength: Any, members: Any) -> Any:
    """Measures how far filters peak from the mean peak of their group.

    Let `mu_bf` be the soft peak of filter f on image b, and `c_bk` the mean of mu_bf over the filters of
    group k, weighted by strength. The loss is the mean of `|mu_bf - c_bk|^2 / n`, weighted by strength.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        strength: `[B, F]`, the weight of each response, non-negative; it carries no gradient.
        members: `[F, K]`, 1 if a filter belongs to a group, else 0.

    Returns:
        A float32 scalar.
    """
    members = ops.cast(members, "float32")
    # Filters without a group do not count.
    weight = ops.stop_gradient(ops.cast(strength, "float32")) * ops.sum(members, axis=1)
    peaks = soft_peaks(maps)
    mass = ops.matmul(weight, members)  # [B, K]
    weighted = ops.transpose(weight[..., None] * peaks, (0, 2, 1))  # [B, 2, F]
    centres = ops.matmul(weighted, members) / ops.maximum(mass, _TINY)[:, None]  # [B, 2, K]
    offset = peaks - ops.transpose(ops.matmul(centres, ops.transpose(members)), (0, 2, 1))
    spread = ops.sum(weight * ops.sum(ops.square(offset), axis=-1))
    return spread / (ops.maximum(cross_replica.total(ops.sum(weight)), _TINY) * ops.shape(maps)[1])


def competition_loss(parts: Any, weight: Any) -> Any:
    """Measures how much the maps of different groups overlap: the mean cosine over pairs of groups.

    Args:
        parts: `[B, U, K]`, from `part_votes`.
        weight: `[B]`, the weight of each image, non-negative.

    Returns:
        A float32 scalar in [0, 1]; 0 if there is only one group.
    """
    groups = parts.shape[-1]
    direction = _directions(parts)
    cosines = ops.matmul(ops.transpose(direction, (0, 2, 1)), direction)  # [B, K, K]
    others = cosines * (1 - ops.eye(groups))
    of_image = ops.sum(others, axis=(1, 2)) / max(groups * (groups - 1), 1)
    return ops.sum(weight * of_image) / ops.maximum(cross_replica.total(ops.sum(weight)), _TINY)


def prototype_loss(parts: Any, responsibilities: Any, weight: Any) -> Any:
    """Measures how far the groups' maps differ from those of their prototypes: 1 minus the cosine of the two.

    Args:
        parts: `[B, U, K]`, from `part_votes`.
        responsibilities: `[B, L, L, K]` with `L * L = U`, from `PartPrototypes`; no gradient. The weight of a
            prototype on an image is its largest responsibility there.
        weight: `[B]`, the weight of each image, non-negative.

    Returns:
        A float32 scalar in [0, 1].
    """
    target = ops.stop_gradient(ops.reshape(responsibilities, (-1, *parts.shape[1:])))
    present = weight[:, None] * ops.max(target, axis=1)  # [B, K]
    cosine = ops.sum(_directions(parts) * _directions(target), axis=1)
    return ops.sum(present * (1 - cosine)) / ops.maximum(cross_replica.total(ops.sum(present)), _TINY)


def _directions(maps: Any) -> Any:
    """Scales the maps `[B, U, K]` to a norm of 1."""
    return maps / ops.sqrt(ops.maximum(ops.sum(ops.square(maps), axis=1, keepdims=True), _TINY))
