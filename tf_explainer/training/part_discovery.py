"""Finds part prototypes in stored features and assigns the filters to them, before training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tf_explainer.errors import UserError

_UNITS = 20_000
_FAINTEST = 0.01  # share of the largest variance; directions with less are noise and are not amplified
_TINY = 1e-6


def discover_parts(
    batches: Iterable[np.ndarray], parts: int, dimensions: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Clusters units by how they differ from the other units of their image.

    A unit's features are `sqrt(max(x, 0))` minus the image's mean, as in `PartPrototypes`; units are weighted
    by their norms. The features are projected on their principal directions, whitened, scaled to a norm of 1
    and clustered by k-means. Each filter is assigned to the part whose units activate its channel most, with
    at most `ceil(D / K)` filters in a part.

    Args:
        batches: `[B, L, L, D]`, the target layer's features of images with objects.
        parts: K, the number of parts.
        dimensions: number of dimensions of the space in which features are compared, at most D.
        seed: seed of the sampling and of k-means.

    Returns:
        The projection `[D, dimensions]`, the prototypes `[K, dimensions]` of norm 1, the filters' parts `[D]`
        int in [0, K), and the channels' standard deviations over units `[D]`; float32.

    Raises:
        UserError: the features are 0 nearly everywhere.
    """
    from sklearn.cluster import KMeans

    features = np.concatenate([batch.reshape(len(batch), -1, batch.shape[-1]) for batch in batches])
    features = np.maximum(features.astype(np.float32), 0)  # [N, U, D]
    norm = np.linalg.norm(features, axis=-1)
    weight = norm / np.maximum(norm.max(axis=1, keepdims=True), _TINY)
    rest = np.sqrt(features)
    total = np.maximum(weight.sum(axis=1), _TINY)[:, None, None]
    rest -= (weight[..., None] * rest).sum(axis=1, keepdims=True) / total
    rest, weight = rest.reshape(-1, rest.shape[-1]), weight.ravel()

    random = np.random.default_rng(seed)
    sample = random.permutation(np.flatnonzero(weight > _TINY))[:_UNITS]
    if len(sample) < parts:
        raise UserError(
            f"--parts={parts}: the target layer responds at {len(sample)} places in all images of objects, "
            "fewer than one for each part: extract more images, or set --parts to a smaller number"
        )
    rest, weight = rest[sample], weight[sample]
    projection = _whitened_directions(rest, weight, dimensions)
    directions = _unit_norm(rest @ projection)
    clusters = KMeans(parts, n_init=4, random_state=seed).fit(directions, sample_weight=weight)
    prototypes = _unit_norm(clusters.cluster_centers_.astype(np.float32))
    nearest = (directions @ prototypes.T).argmax(axis=1)
    activations = features.reshape(-1, features.shape[-1])[sample]
    groups = _assign_filters(activations, nearest, weight, parts)
    return projection, prototypes, groups, activations.std(axis=0)


def _whitened_directions(samples: np.ndarray, weight: np.ndarray, dimensions: int) -> np.ndarray:
    covariance = np.cov(samples.T, aweights=weight)
    variance, directions = np.linalg.eigh(covariance)
    variance, directions = variance[::-1][:dimensions], directions[:, ::-1][:, :dimensions]
    return (directions / np.sqrt(np.maximum(variance, _FAINTEST * variance[0]))).astype(np.float32)


def _unit_norm(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)


def _assign_filters(
    activations: np.ndarray, nearest: np.ndarray, weight: np.ndarray, parts: int
) -> np.ndarray:
    """Assigns each filter to the part on whose units it is most above its mean, the clearest cases first."""
    filters = activations.shape[1]
    standard = (activations - activations.mean(axis=0)) / np.maximum(activations.std(axis=0), _TINY)
    members = np.eye(parts, dtype=np.float32)[nearest] * weight[:, None]
    preference = members.T @ standard / np.maximum(np.sqrt(members.sum(axis=0)), _TINY)[:, None]  # [K, D]
    groups, room = np.full(filters, -1), np.full(parts, -(-filters // parts))
    for place in np.argsort(-preference, axis=None, kind="stable"):
        part, filter_ = np.unravel_index(place, preference.shape)
        if groups[filter_] < 0 and room[part]:
            groups[filter_] = part
            room[part] -= 1
    return groups
