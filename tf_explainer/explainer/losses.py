"""The explainer's loss terms (method: arXiv:1805.07468, section 3; ICNN: arXiv:1710.00935, section 3).

Every function takes this replica's share of the batch and returns this replica's share of the term: the
shares add up to the term over the whole batch, whatever the number of replicas. All arithmetic is
float32, whatever the dtype of the maps.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_explainer.explainer import cross_replica, templates

_IMPOSSIBLE = -1e4
_LARGEST_EXPONENT = 80.0
_LEAST_PROBABILITY = 1e-6
_TINY = 1e-12
# The smallest positive number that float32 holds in full precision.
_SMALLEST = 1.2e-38


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


def filter_loss(scores: Any, prior: Any, positive: Any = None) -> Any:
    """Minus the mutual information between a filter's maps and the templates (ICNN, equation 3).

    `Loss_f = - sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x))`, `p(x|T) = exp(<x, T>) / Z_T`,
    `p(x) = sum_T p(T) p(x|T)`, the images being those of the batch. Its gradient is exact.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).
        positive: `[B, F]` bool: images of the filter's category. The others are no samples of any positive
            template (`p(x|T_mu) = 0`): the negative template alone is left for them. None: all are.

    Returns:
        `[F]` float32 in [-log(images), 0].
    """
    prior = ops.convert_to_tensor(prior, "float32")
    return ops.custom_gradient(lambda x: _information(x, prior))(_without_others(scores, positive))


def _information(scores: Any, prior: Any) -> tuple[Any, Any]:
    """Returns the filter loss and its exact gradient by the scores.

    `dLoss_f / d<x, T> = -p(T) p(x|T) (r - sum_x p(x|T) r)`, `r = log(p(x|T) / p(x))`. Every factor is left
    over from the loss itself: the gradient costs three products, and replicas need not meet again.
    """
    shift = cross_replica.maximum(ops.max(scores, axis=0))
    likelihood = ops.exp(scores - shift)
    partition = cross_replica.total(ops.sum(likelihood, axis=0))
    likelihood = likelihood / partition
    marginal = ops.matmul(prior[None, None], likelihood)
    # A marginal that is 0 in float32 is that of an image without a share in any template: it adds nothing.
    ratio = scores - (shift + ops.log(partition)) - ops.log(ops.maximum(marginal, _SMALLEST))
    of_replica = ops.sum(likelihood * ratio, axis=0)
    divergence = cross_replica.total(of_replica)

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        (upstream,) = arguments if upstream is None else (upstream,)
        return likelihood * (divergence - ratio) * (prior[:, None] * upstream)

    return -ops.matmul(prior, of_replica), gradient


def _without_others(scores: Any, positive: Any) -> Any:
    """Makes images that are not of the filter's category impossible under every positive template."""
    if positive is None:
        return scores
    positive = ops.cast(positive, "float32")[:, None, :]
    impossible = _IMPOSSIBLE * (1 - positive) * ops.ones_like(scores[:, :-1])
    return ops.concatenate([scores[:, :-1] * positive + impossible, scores[:, -1:]], axis=1)


def closed_form_filter_loss(scores: Any, prior: Any, log_partition: Any, positive: Any = None) -> Any:
    """ICNN's approximate gradient of the filter loss, with `Z_T` and `p(x)` held (ICNN, section 3).

    With `T_hat` the template that an image is assigned to, `d Loss_f / d <x, T_hat> = -p(T_hat) p(x|T_hat)
    (<x, T_hat> - log Z_T_hat - log p(x))`: the slope that lowers the loss.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).
        log_partition: `[T, F]`, a slowly updated `log Z_T` of as many images as a batch has.
        positive: `[B, F]` bool: images of the filter's category, which are assigned to the positive template
            of the highest score; the others to the negative one. None: all are.

    Returns:
        `[F]` float32: a sum whose gradient is the one above; its own value means nothing.
    """
    prior = ops.reshape(ops.convert_to_tensor(prior, "float32"), (1, -1, 1))
    fixed = ops.stop_gradient(scores)
    log_likelihood = fixed - log_partition
    log_marginal = ops.logsumexp(ops.log(prior) + log_likelihood, axis=1, keepdims=True)
    assigned = ops.one_hot(ops.argmax(fixed[:, :-1], axis=1), ops.shape(scores)[1], axis=1, dtype="float32")
    if positive is not None:
        of_category = ops.cast(positive, "float32")[:, None, :]
        negative = ops.one_hot(ops.shape(scores)[1] - 1, ops.shape(scores)[1], dtype="float32")
        assigned = of_category * assigned + (1 - of_category) * negative[None, :, None]
    weight = assigned * prior * ops.exp(log_likelihood) * (log_likelihood - log_marginal)
    return -ops.sum(ops.stop_gradient(weight) * scores, axis=(0, 1))


def released_filter_loss(score: Any, log_mean: Any) -> Any:
    """The weighting of ICNN's released code: the gradient of every filter has the same strength.

    As `closed_form_filter_loss` for the assigned template alone, with `p(x) = 1 / images`, so that `p(x|T) /
    p(x) = exp(<x, T>) / E_x exp(<x, T>)`; a filter's weights are divided by their own mean magnitude.

    Args:
        score: `[B, F]`, `<x, T_hat>`, from `assigned_scores`.
        log_mean: `[F]`, a slowly updated `log E_x exp(<x, T_hat>)`.

    Returns:
        `[F]` float32: a mean over images whose gradient is the one above; its own value means nothing.
    """
    log_ratio = ops.stop_gradient(score) - log_mean
    weight = ops.exp(ops.minimum(log_ratio, _LARGEST_EXPONENT)) * log_ratio
    size = ops.maximum(cross_replica.mean_over_images(ops.abs(weight)), _TINY)
    images = cross_replica.total(cross_replica.image_count(score))
    return -ops.sum(weight / size * score, axis=0) / images


def assigned_scores(maps: Any, beta: Any, positive: Any = None) -> Any:
    """Returns `<x, T_hat>` for templates of each filter's own slope.

    Args:
        maps: `[B, L, L, F]`, non-negative.
        beta: `[F]`, slopes.
        positive: `[B, F]` bool: images of the filter's category, assigned to the template of their peak; the
            others to the negative one. None: all are.

    Returns:
        `[B, F]` float32; the choice of the template carries no gradient.
    """
    maps = ops.cast(maps, "float32")
    template = ops.maximum(1 - templates.distance_from_peak(maps) * beta / ops.shape(maps)[1], -1)
    if positive is not None:
        template = ops.where(positive[:, None, None, :], template, -1.0)
    return ops.sum(maps * ops.stop_gradient(template), axis=(1, 2))


def specificity_loss(maps: Any, positive: Any) -> Any:
    """How strongly filters respond to images that are not of their category (ours).

    Args:
        maps: `[B, L, L, F]`, non-negative, in mean peaks of each filter.
        positive: `[B, F]` bool: images of the filter's category.

    Returns:
        This replica's share of the mean peak over all filters' other images, a float32 scalar; 0 where there
        are none.
    """
    other = 1 - ops.cast(positive, "float32")
    peaks = ops.max(ops.cast(maps, "float32"), axis=(1, 2))
    return ops.sum(other * peaks) / ops.maximum(cross_replica.total(ops.sum(other)), 1)


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
    """Returns this replica's share of `-log p` (method: the term of weight eta), a scalar.

    Args:
        part_share: p, a scalar in (0, 1).
    """
    return -ops.log(part_share) / cross_replica.replicas()


def classification_loss(scores: Any, performer_scores: Any) -> Any:
    """Cross entropy of the performer's head on the decoder's output with the performer's own decision.

    No annotation is needed: the label is what the performer says ("Explainer + cls" of the paper).

    Args:
        scores: `[B, classes]`, or `[B, 1]`, the probability of the second of two classes; of the head on the
            decoder's output.
        performer_scores: likewise, of the performer.

    Returns:
        A float32 scalar, the mean over images.
    """
    decision = decisions(performer_scores)
    probability = ops.clip(ops.cast(scores, "float32"), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    if scores.shape[-1] == 1:
        probability = ops.concatenate([1 - probability, probability], axis=-1)
    chosen = ops.take_along_axis(probability, decision[:, None], axis=-1)
    return -ops.sum(ops.log(chosen)) / cross_replica.total(cross_replica.image_count(scores))


def decisions(scores: Any) -> Any:
    """Returns the class of the highest score, or of the only one: a probability that the label is 1.

    Args:
        scores: `[B, classes]` or `[B, 1]`.

    Returns:
        `[B]` int32.
    """
    if scores.shape[-1] > 1:
        return ops.argmax(scores, axis=-1)
    return ops.cast(ops.cast(scores[:, 0], "float32") > 0.5, "int32")
