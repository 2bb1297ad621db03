"""The filter loss and its approximations (ICNN: arXiv:1710.00935, section 3), each as a Keras layer.

A filter loss measures how well a filter's maps match the part templates. Maps are in units of the filter's
mean peak. Every function returns this replica's share of the term, in float32: the shares of all replicas sum
to the term over the whole batch.
"""

from __future__ import annotations

import abc
from typing import Any

import keras
from keras import ops

from tf_explainer.explainer import cross_replica, templates
from tf_explainer.explainer.layers import LossStatistic

_IMPOSSIBLE = -1e4
_LARGEST_EXPONENT = 80.0
_TINY = 1e-12
# The sum of the weights counts as at least this share of the sum of their magnitudes (ours).
_LEAST_SHARE = 0.1
# The smallest positive number that float32 holds in full precision.
_SMALLEST = 1.2e-38


class FilterLoss(keras.layers.Layer, abc.ABC):
    """Base class of the filter losses of one layer; holds the running means that the loss needs.

    Args:
        side: side of the maps, in units.
        filters: number of filters.
        template_beta: slope of the templates.
        temperature: scale of `<x, T>`; for unscaled maps it would be the papers' `tau = 0.5 / n^2`.
        momentum: momentum of the running means.
    """

    def __init__(
        self, *, side: int, filters: int, template_beta: float, temperature: float, momentum: float
    ) -> None:
        super().__init__(trainable=False, dtype="float32")
        self.side, self.temperature = side, temperature
        self.templates = templates.template_matrix(side, template_beta)
        self.prior = templates.template_prior(side)
        self.follow(filters, momentum)
        self.built = True

    def follow(self, filters: int, momentum: float) -> None:
        """Creates the running means, if there are any."""

    @abc.abstractmethod
    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """Returns the loss of every filter.

        Args:
            maps: `[B, L, L, F]`, non-negative, each filter's in units of its mean peak.
            positive: `[B, F]` bool: the images of the filter's category; None: all images.
            training: whether to update the running means with this batch.

        Returns:
            `[F]` float32.
        """


class MutualInformation(FilterLoss):
    """The negative mutual information between maps and templates, with its exact gradient (equation 3)."""

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        del training
        return filter_loss(template_scores(maps, self.templates, self.temperature), self.prior, positive)


class HeldPartition(FilterLoss):
    """ICNN's approximate gradient, with a running mean of every template's partition function."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates the running mean of `exp(<x, T>)` for every template."""
        self.partition = LossStatistic((len(self.prior), filters), momentum, name="partition")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        scores = template_scores(maps, self.templates, self.temperature)
        if training:
            self.partition.update(ops.exp(ops.minimum(scores, _LARGEST_EXPONENT)))
        images = cross_replica.total(cross_replica.image_count(scores))
        mean = ops.stop_gradient(ops.convert_to_tensor(self.partition.value))
        log_partition = ops.log(ops.maximum(mean, 1e-30)) + ops.log(images)
        return closed_form_filter_loss(scores, self.prior, log_partition, templates.peak(maps), positive)


class ReleasedCode(FilterLoss):
    """The weighting of ICNN's released code, with templates as wide as each filter's maps."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates the running means of the maps' weighted spread and of the weights."""
        self.spread = LossStatistic((2, filters), momentum, name="weighted_spread")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        spread, weight = ops.unstack(ops.convert_to_tensor(self.spread.value))
        beta = templates.learned_beta(spread, weight, self.side)
        template = templates.centred_templates(maps, beta)
        score = _product(maps, template)
        if training:
            self.spread.update(_weighted_spread(maps, score, positive))
        # Chance level: each map with the template of another filter on another image.
        mismatched = _product(maps, ops.flip(template, axis=(0, 3)))
        silence = -ops.sum(ops.cast(maps, "float32"), axis=(1, 2))
        score, mismatched, silence = (self.temperature * each for each in (score, mismatched, silence))
        return released_filter_loss(score, mismatched, silence, positive)


FILTER_LOSSES: dict[str, type[FilterLoss]] = {
    "exact": MutualInformation,
    "closed_form": HeldPartition,
    "icnn": ReleasedCode,
}
"""The filter losses by the value of `ExplainerConfig.filter_loss`."""


def template_scores(maps: Any, templates: Any, temperature: float = 1.0) -> Any:
    """Returns `temperature * <x, T>` for every image, template and filter.

    Args:
        maps: `[B, L, L, F]`, any float dtype.
        templates: `[T, L * L]`.
        temperature: scale of the scores; for unscaled maps it would be the papers' `tau = 0.5 / n^2`.

    Returns:
        `[B, T, F]` float32.
    """
    _, height, width, filters = ops.shape(maps)
    flat = ops.reshape(ops.cast(maps, "float32"), (-1, height * width, filters))
    return temperature * ops.matmul(ops.convert_to_tensor(templates, "float32"), flat)


def filter_loss(scores: Any, prior: Any, positive: Any = None) -> Any:
    """Returns the negative mutual information between maps and templates (ICNN, equation 3).

    `Loss_f = - sum_T p(T) sum_x p(x|T) log(p(x|T) / p(x))`, `p(x|T) = exp(<x, T>) / Z_T`,
    `p(x) = sum_T p(T) p(x|T)`, where x runs over the images of the batch. The gradient is exact.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).
        positive: `[B, F]` bool: the images of the filter's category; None: all images. Other images match
            only the negative template: `p(x|T_mu) = 0` for every positive template.

    Returns:
        `[F]` float32 in [-log(images), 0].
    """
    prior = ops.convert_to_tensor(prior, "float32")
    return ops.custom_gradient(lambda x: _information(x, prior))(_without_others(scores, positive))


def _information(scores: Any, prior: Any) -> tuple[Any, Any]:
    """Returns the filter loss and a function for its exact gradient with respect to the scores.

    `dLoss_f / d<x, T> = -p(T) p(x|T) (r - sum_x p(x|T) r)`, `r = log(p(x|T) / p(x))`. The loss has already
    computed all factors: the gradient costs three products and no further communication between replicas.
    """
    shift = cross_replica.maximum(ops.max(scores, axis=0))
    likelihood = ops.exp(scores - shift)
    partition = cross_replica.total(ops.sum(likelihood, axis=0))
    likelihood = likelihood / partition
    marginal = ops.matmul(prior[None, None], likelihood)
    # The marginal underflows to 0 only for images with no share in any template; they add nothing to the
    # loss.
    ratio = scores - (shift + ops.log(partition)) - ops.log(ops.maximum(marginal, _SMALLEST))
    of_replica = ops.sum(likelihood * ratio, axis=0)
    divergence = cross_replica.total(of_replica)

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        (upstream,) = arguments if upstream is None else (upstream,)
        return likelihood * (divergence - ratio) * (prior[:, None] * upstream)

    return -ops.matmul(prior, of_replica), gradient


def _without_others(scores: Any, positive: Any) -> Any:
    """Makes images outside the filter's category impossible under every positive template."""
    if positive is None:
        return scores
    positive = ops.cast(positive, "float32")[:, None, :]
    impossible = _IMPOSSIBLE * (1 - positive) * ops.ones_like(scores[:, :-1])
    return ops.concatenate([scores[:, :-1] * positive + impossible, scores[:, -1:]], axis=1)


def closed_form_filter_loss(
    scores: Any, prior: Any, log_partition: Any, peak: Any, positive: Any = None
) -> Any:
    """Returns a loss with ICNN's approximate gradient: `Z_T` and `p(x)` are held constant (ICNN, section 3).

    With `T_hat` the template that an image is assigned to, `d Loss_f / d <x, T_hat> = -p(T_hat) p(x|T_hat)
    (<x, T_hat> - log Z_T_hat - log p(x))`; descending along it lowers the filter loss.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).
        log_partition: `[T, F]`, `log Z_T` of as many images as a batch has, from a running mean.
        peak: `[B, F]` int, index of the map's peak, row by row: the template there is `T_hat`.
        positive: `[B, F]` bool: the images of the filter's category; None: all images. Other images are
            assigned to the negative template.

    Returns:
        `[F]` float32, a sum with the gradient above; its value has no meaning.
    """
    prior = ops.reshape(ops.convert_to_tensor(prior, "float32"), (1, -1, 1))
    fixed = ops.stop_gradient(scores)
    log_likelihood = fixed - log_partition
    log_marginal = ops.logsumexp(ops.log(prior) + log_likelihood, axis=1, keepdims=True)
    assigned = ops.one_hot(peak, ops.shape(scores)[1], axis=1, dtype="float32")
    if positive is not None:
        of_category = ops.cast(positive, "float32")[:, None, :]
        negative = ops.one_hot(ops.shape(scores)[1] - 1, ops.shape(scores)[1], dtype="float32")
        assigned = of_category * assigned + (1 - of_category) * negative[None, :, None]
    weight = assigned * prior * ops.exp(log_likelihood) * (log_likelihood - log_marginal)
    return -ops.sum(ops.stop_gradient(weight) * scores, axis=(0, 1))


def released_filter_loss(score: Any, mismatched: Any, silence: Any, positive: Any = None) -> Any:
    """Returns a loss with the weighting of ICNN's released code, which differs from the published gradient.

    An image of the filter's category pulls the filter towards its own template with the weight
    `exp(s) (s - log Z + 1)`, where s is its score and `Z` is the mean of `exp` over the mismatched scores.
    Other images pull the filter towards the negative template, with `Z` from the scores of all images with
    that template. Weights are normalised within each of the two groups, and both groups count equally.

    Args:
        score: `[B, F]`, `<x, T_hat>`.
        mismatched: `[B, F]`, `<x, T>` with the template of another image and filter.
        silence: `[B, F]`, `<x, T_minus>`.
        positive: `[B, F]` bool: the images of the filter's category; None: all images.

    Returns:
        `[F]` float32, a negative weighted mean of scores with constant weights; only its gradient has a
        meaning.
    """
    if positive is None:
        return -_pulled(score, mismatched, ops.ones_like(score))
    of_category = ops.cast(positive, "float32")
    to_template = _pulled(score, mismatched, of_category)
    return -(to_template + _pulled(silence, silence, 1 - of_category)) / 2


def _pulled(score: Any, chance: Any, group: Any) -> Any:
    """Returns this replica's share of a group's mean score, `[F]`, with the weights of the released code."""
    fixed, chance = ops.stop_gradient(score), ops.stop_gradient(chance)
    top = cross_replica.maximum(ops.max(chance, axis=0))
    log_z = top + ops.log(cross_replica.mean_over_images(ops.exp(chance - top)))
    # The weights are normalised below, so subtracting `loudest` only keeps exp from overflowing.
    loudest = cross_replica.maximum(ops.max(ops.where(group > 0, fixed, _IMPOSSIBLE), axis=0))
    weight = group * ops.exp(ops.minimum(fixed - loudest, 0.0)) * (fixed - log_z + 1)
    total = cross_replica.total(ops.sum(weight, axis=0))
    # If positive and negative weights nearly cancel, their sum is too small to normalise by.
    least = _LEAST_SHARE * cross_replica.total(ops.sum(ops.abs(weight), axis=0)) + _TINY
    total = ops.where(total < 0, ops.minimum(total, -least), ops.maximum(total, least))
    return ops.sum(weight / total * score, axis=0)


def _product(maps: Any, template: Any) -> Any:
    """Returns `<x, T>`, `[B, F]` float32, for maps and templates `[B, L, L, F]`."""
    return ops.sum(ops.cast(maps, "float32") * template, axis=(1, 2))


def _weighted_spread(maps: Any, score: Any, positive: Any) -> Any:
    """Returns each map's weighted spread and its weight, `[B, 2, F]`; 0 outside the filter's category."""
    weight = ops.maximum(score, 0)
    if positive is not None:
        weight = weight * ops.cast(positive, "float32")
    return ops.stack([templates.spread(maps) * weight, weight], axis=1)
