"""The explainer's loss terms (method: arXiv:1805.07468, section 3; ICNN: arXiv:1710.00935, section 3).

Every function takes this replica's share of the batch and returns this replica's share of the term: the
shares add up to the term over the whole batch, whatever the number of replicas. All arithmetic is
float32, whatever the dtype of the maps.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer import cross_replica


def template_scores(maps: Any, templates: Any, temperature: float = 1.0) -> Any:
    """Returns `temperature * <x, T>` for every image, template and filter, as one matrix product.

    Args:
        maps: `[B, L, L, F]`, any float dtype.
        templates: `[T, L * L]`.
        temperature: scale of the scores; the papers' `tau = 0.5 / n^2` where the maps are raw.

    Returns:
        `[B, T, F]` float32.
    """
    _, height, width, filters = ops.shape(maps)
    flat = ops.reshape(ops.cast(maps, "float32"), (-1, height * width, filters))
    return temperature * ops.matmul(ops.convert_to_tensor(templates, "float32"), flat)


def log_partition(scores: Any) -> Any:
    """Returns `log Z_T = log sum_x exp(<x, T>)` over the images of all replicas.

    Args:
        scores: `[B, T, F]`, from `template_scores`.

    Returns:
        `[T, F]` float32.
    """
    shift = cross_replica.maximum(ops.max(scores, axis=0))
    return shift + ops.log(cross_replica.total(ops.sum(ops.exp(scores - shift), axis=0)))


def filter_loss(scores: Any, prior: Any) -> Any:
    """Minus the mutual information between a filter's maps and the templates (ICNN, equation 3).

    `Loss_f = - sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x))`, `p(x|T) = exp(<x, T>) / Z_T`,
    `p(x) = sum_T p(T) p(x|T)`, the images being those of the batch. Its gradient is exact.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).

    Returns:
        `[F]` float32 in [-log(images), 0].
    """
    prior = ops.reshape(ops.convert_to_tensor(prior, "float32"), (1, -1, 1))
    log_likelihood = scores - log_partition(scores)
    joint = prior * ops.exp(log_likelihood)
    log_marginal = ops.logsumexp(ops.log(prior) + log_likelihood, axis=1, keepdims=True)
    return -ops.sum(joint * (log_likelihood - log_marginal), axis=(0, 1))


def reconstruction_loss(features: Any, decoded: Any, mean_square_norm: float) -> Any:
    """Relative squared error of one distilled layer: `mean_x ||x_l - x*_l||^2 / E ||x*_l||^2`.

    The dimensionless form of the method's `lambda_l ||x_l - x*_l||^2`.

    Args:
        features: `[B, C]`, the performer's features x*_l.
        decoded: `[B, C]`, the decoder's x_l.
        mean_square_norm: `E ||x*_l||^2` over all images, from the feature manifest.

    Returns:
        A float32 scalar; 0 for a perfect decoder, 1 for one that answers 0.
    """
    difference = ops.cast(decoded, "float32") - ops.cast(features, "float32")
    images = cross_replica.total(cross_replica.image_count(difference))
    return ops.sum(ops.square(difference)) / (images * mean_square_norm)


def part_share_loss(part_share: Any) -> Any:
    """Returns `-log p` (method: the term of weight eta)."""
    return -ops.log(part_share) / cross_replica.replicas()


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


def rigid_losses(maps: Any, strength: Any, width: float) -> tuple[Any, Any]:
    """Consistency and repulsion: each filter keeps its place in a constellation, and places differ (ours).

    With `mu_bf` the soft peak of filter f on image b, `c_b` the mean of mu_bf over filters, `o_bf = mu_bf -
    c_b` and `o_f` its mean over images (all means weighted by strength):
    consistency = `mean_bf |o_bf - o_f|^2 / n`, repulsion = `mean_{f != g} exp(-|o_f - o_g|^2 / (2 width^2))`.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        strength: `[B, F]`, how much each response counts, non-negative; it carries no gradient.
        width: reach of the repulsion, in units.

    Returns:
        Two float32 scalars.
    """
    weight = ops.stop_gradient(ops.cast(strength, "float32"))[..., None]
    peaks = soft_peaks(maps)
    side, filters = ops.shape(maps)[1], ops.shape(maps)[-1]
    anchor = ops.sum(weight * peaks, 1, keepdims=True) / ops.maximum(ops.sum(weight, 1, keepdims=True), 1e-12)
    offset = peaks - anchor
    filter_weight = ops.maximum(cross_replica.total(ops.sum(weight, 0)), 1e-12)
    place = cross_replica.total(ops.sum(weight * offset, 0)) / filter_weight

    spread = ops.sum(weight * ops.square(offset - place))
    consistency = spread / (ops.maximum(cross_replica.total(ops.sum(weight)), 1e-12) * side)

    norm = ops.sum(ops.square(place), -1)
    distance = ops.maximum(norm[:, None] + norm[None, :] - 2 * ops.matmul(place, ops.transpose(place)), 0)
    closeness = ops.sum(ops.exp(-distance / (2 * width**2))) - filters
    return consistency, closeness / (filters * max(filters - 1, 1)) / cross_replica.replicas()
