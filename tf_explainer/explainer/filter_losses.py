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
# Of the weights' magnitudes, what their sum is taken to be at least (ours).
_LEAST_SHARE = 0.1
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
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        del training
        return filter_loss(template_scores(maps, self.templates, self.temperature), self.prior, positive)


class HeldPartition(FilterLoss):
    """ICNN's approximate gradient, with the partition function of every template followed."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates `E_x exp(<x, T>)` of every template."""
        self.partition = LossStatistic((len(self.prior), filters), momentum, name="partition")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        scores = template_scores(maps, self.templates, self.temperature)
        if training:
            _update_partition(self.partition, scores)
        images = cross_replica.total(cross_replica.image_count(scores))
        log_partition = _log_mean(self.partition) + ops.log(images)
        return closed_form_filter_loss(scores, self.prior, log_partition, templates.peak(maps), positive)


class ReleasedCode(FilterLoss):
    """The weighting of ICNN's released code, with templates as wide as each filter's maps."""

    def follow(self, filters: int, momentum: float) -> None:
        """Creates the maps' spread, and the weights that it is averaged with."""
        self.spread = LossStatistic((2, filters), momentum, name="weighted_spread")

    def call(self, maps: Any, positive: Any = None, training: bool = False) -> Any:
        """See the base class: maps `[B, L, L, F]` to losses `[F]`."""
        spread, weight = ops.unstack(ops.convert_to_tensor(self.spread.value))
        beta = templates.learned_beta(spread, weight, self.side)
        template = templates.centred_templates(maps, beta)
        score = _product(maps, template)
        if training:
            self.spread.update(_weighted_spread(maps, score, positive))
        # Chance level: every image with the template of another filter on another image.
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


def closed_form_filter_loss(
    scores: Any, prior: Any, log_partition: Any, peak: Any, positive: Any = None
) -> Any:
    """ICNN's approximate gradient of the filter loss, with `Z_T` and `p(x)` held (ICNN, section 3).

    With `T_hat` the template that an image is assigned to, `d Loss_f / d <x, T_hat> = -p(T_hat) p(x|T_hat)
    (<x, T_hat> - log Z_T_hat - log p(x))`: the slope that lowers the loss.

    Args:
        scores: `[B, T, F]`, from `template_scores`.
        prior: `[T]`, p(T).
        log_partition: `[T, F]`, a slowly updated `log Z_T` of as many images as a batch has.
        peak: `[B, F]` int, where a map is highest, row by row: its template is an image's `T_hat`.
        positive: `[B, F]` bool: images of the filter's category; the others are assigned to the negative
            template. None: all are.

    Returns:
        `[F]` float32: a sum whose gradient is the one above; its own value means nothing.
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
    """The weighting of ICNN's released code, which differs from the published gradient.

    An image of the filter's category pulls the filter to its own template with the weight
    `exp(s) (s - log Z + 1)`, where `Z` is the mean of `exp` over pairs of a map and another one's template.
    The others pull it to the negative template, with `Z` from that of all images. Weights are divided by
    their mean, in each of the two groups by itself, and both groups count alike.

    Args:
        score: `[B, F]`, `<x, T_hat>`.
        mismatched: `[B, F]`, `<x, T>` of another image's and filter's template.
        silence: `[B, F]`, `<x, T_minus>`.
        positive: `[B, F]` bool: images of the filter's category. None: all are.

    Returns:
        `[F]` float32: minus a weighted mean of scores, whose gradient is the one above; its own value means
        nothing.
    """
    if positive is None:
        return -_pulled(score, mismatched, ops.ones_like(score))
    of_category = ops.cast(positive, "float32")
    to_template = _pulled(score, mismatched, of_category)
    return -(to_template + _pulled(silence, silence, 1 - of_category)) / 2


def _pulled(score: Any, chance: Any, group: Any) -> Any:
    """Returns this replica's share of the mean score `[F]` of a group of images, by the released weights."""
    fixed, chance = ops.stop_gradient(score), ops.stop_gradient(chance)
    top = cross_replica.maximum(ops.max(chance, axis=0))
    log_z = top + ops.log(cross_replica.mean_over_images(ops.exp(chance - top)))
    # Weights are divided by their sum: a common factor makes no difference, but exp must not overflow.
    loudest = cross_replica.maximum(ops.max(ops.where(group > 0, fixed, _IMPOSSIBLE), axis=0))
    weight = group * ops.exp(ops.minimum(fixed - loudest, 0.0)) * (fixed - log_z + 1)
    total = cross_replica.total(ops.sum(weight, axis=0))
    # Where weights of both signs nearly cancel, their sum is no measure of their size.
    least = _LEAST_SHARE * cross_replica.total(ops.sum(ops.abs(weight), axis=0)) + _TINY
    total = ops.where(total < 0, ops.minimum(total, -least), ops.maximum(total, least))
    return ops.sum(weight / total * score, axis=0)


def _product(maps: Any, template: Any) -> Any:
    """Returns `<x, T>`, `[B, F]` float32, of maps and templates `[B, L, L, F]`."""
    return ops.sum(ops.cast(maps, "float32") * template, axis=(1, 2))


def _weighted_spread(maps: Any, score: Any, positive: Any) -> Any:
    """Returns a map's spread times its weight, and the weight: its score, 0 on other categories' images."""
    weight = ops.maximum(score, 0)
    if positive is not None:
        weight = weight * ops.cast(positive, "float32")
    return ops.stack([templates.spread(maps) * weight, weight], axis=1)
