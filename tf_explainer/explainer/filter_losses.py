"""The filter loss and its approximations (ICNN: arXiv:1710.00935, section 3), one layer for each.

A filter loss measures how well the place of a filter's peak is told by the part templates. Maps come in mean
peaks of their filter. Every function returns this replica's share of the term, in float32: the shares add up
to the term over the whole batch, whatever the number of replicas.
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
# The smallest positive number that float32 holds in full precision.
_SMALLEST = 1.2e-38


class FilterLoss(keras.layers.Layer, abc.ABC):
    """Trains the filters of one layer; it owns what it follows through training.

    Args:
        side: of the maps, in units.
        filters: how many.
        template_beta: slope of the templates.
        temperature: scale of `<x, T>`; the papers' `tau = 0.5 / n^2` where the maps are raw.
        momentum: of the running means.
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
            maps: `[B, L, L, F]`, non-negative, in mean peaks of each filter.
            positive: `[B, F]` bool: images of the filter's category; None: all are.
            training: whether the running means take this batch in.

        Returns:
            `[F]` float32.
        """


class MutualInformation(FilterLoss):
    """Minus the mutual information between maps and templates, with its exact gradient (equation 3)."""

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class."""
        del training
        return filter_loss(template_scores(maps, self.templates, self.temperature), self.prior, positive)


class HeldPartition(FilterLoss):
    """ICNN's approximate gradient, with the partition function of every template followed."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates `E_x exp(<x, T>)` of every template."""
        self.partition = LossStatistic((len(self.prior), filters), momentum, name="partition")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class."""
        scores = template_scores(maps, self.templates, self.temperature)
        if training:
            _update_partition(self.partition, scores)
        images = cross_replica.total(cross_replica.image_count(scores))
        log_partition = _log_mean(self.partition) + ops.log(images)
        return closed_form_filter_loss(scores, self.prior, log_partition, positive)


class ReleasedCode(FilterLoss):
    """The weighting of ICNN's released code, with templates as wide as each filter's maps."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates `E_x exp(<x, T_hat>)` of the assigned template, and the maps' spread."""
        self.partition = LossStatistic((1, filters), momentum, name="partition")
        self.spread = LossStatistic((filters,), momentum, name="spread")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class."""
        if training:
            self.spread.update(templates.spread(maps))
        beta = templates.learned_beta(ops.convert_to_tensor(self.spread.value), self.side)
        score = self.temperature * assigned_scores(maps, beta, positive)
        if training:
            _update_partition(self.partition, score[:, None])
        return released_filter_loss(score, _log_mean(self.partition)[0])


FILTER_LOSSES: dict[str, type[FilterLoss]] = {
    "exact": MutualInformation,
    "closed_form": HeldPartition,
    "icnn": ReleasedCode,
}
"""The filter losses by the value of `ExplainerConfig.filter_loss`."""


def _update_partition(partition: LossStatistic, scores: Any) -> None:
    partition.update(ops.exp(ops.minimum(scores, _LARGEST_EXPONENT)))


def _log_mean(partition: LossStatistic) -> Any:
    """Returns `log E_x exp(<x, T>)`, `[templates, F]` float32, without a gradient."""
    mean = ops.stop_gradient(ops.convert_to_tensor(partition.value))
    return ops.log(ops.maximum(mean, 1e-30))


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
