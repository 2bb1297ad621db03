"""Rules that assign images to filters, by the value of `ExplainerConfig.category_assignment`."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_explainer.explainer.layers import LossStatistic

_SINKHORN_ROUNDS = 20
_TINY = 1e-12
# A filter responds to an image if its peak there exceeds this share of its mean peak.
_RESPONDS = 0.5


class EveryImage:
    """`none`: filters have no categories."""

    def positive(self, maps: Any, labels: Any, training: bool) -> Any:
        """Returns which images belong to each filter's category.

        Args:
            maps: `[B, L, L, F]`, each filter's in units of its mean peak.
            labels: `[B]` int, the class that the performer decides for; None if unknown.
            training: whether to update the running means with this batch.

        Returns:
            `[B, F]` bool; None: all images belong to every category.
        """
        del maps, labels, training


class RespondingImages(EveryImage):
    """`activation`: the images that a filter responds to."""

    def positive(self, maps: Any, labels: Any, training: bool) -> Any:
        """See `EveryImage`."""
        del labels, training
        return ops.stop_gradient(ops.max(maps, axis=(1, 2))) > _RESPONDS


class PredictedCategory(keras.layers.Layer):
    """`predicted`: the images of the class that activates the filter most (ICNN, section 3).

    Args:
        filters: number of filters.
        classes: number of the performer's classes.
        negative_class: index of the class that is not a category; None if there is no such class.
        momentum: momentum of the running means.
    """

    def __init__(
        self, *, filters: int, classes: int, negative_class: int | None = None, momentum: float = 0.9
    ) -> None:
        super().__init__(trainable=False, dtype="float32")
        self.classes, self.negative_class = classes, negative_class
        self.response = LossStatistic((classes, filters), momentum, name="response")
        self.frequency = LossStatistic((classes,), momentum, name="frequency")
        self.built = True

    def positive(self, maps: Any, labels: Any, training: bool) -> Any:
        """See `EveryImage`; in training, also updates the filters' mean response to each class."""
        if training:
            of_class = ops.one_hot(labels, self.classes, dtype="float32")
            self.response.update(of_class[..., None] * self._strength(maps)[:, None])
            self.frequency.update(of_class)
        return labels[:, None] == ops.cast(self.category(), labels.dtype)[None]

    def category(self) -> Any:
        """Returns each filter's category, `[F]` int.

        A filter's category is its largest entry in the matrix of mean responses, classes by filters, after
        rows and columns have been scaled to equal sums (Sinkhorn, Ann. Math. Stat. 35, 1964). Every class
        then gets about the same number of filters. Without the scaling, the class that activates the layer
        most would get all of them, and the other classes could never win one back.
        """
        response = self._response_by_class()
        for _ in range(_SINKHORN_ROUNDS):
            response = response / ops.maximum(ops.sum(response, axis=0), _TINY)
            response = response / ops.maximum(ops.mean(response, axis=1, keepdims=True), _TINY)
        return ops.argmax(response, axis=0)

    def _strength(self, maps: Any) -> Any:
        return ops.mean(maps, (1, 2))

    def _response_by_class(self) -> Any:
        """Returns the mean response to the images of each class, `[classes, F]`; 0 for the negative class."""
        frequency = ops.maximum(ops.convert_to_tensor(self.frequency.value), 1e-6)
        response = ops.convert_to_tensor(self.response.value) / frequency[:, None]
        if self.negative_class is None:
            return response
        return response * (1 - ops.one_hot(self.negative_class, self.classes, dtype="float32"))[:, None]


class HighestPeak(PredictedCategory):
    """`highest_peak`: the images of the class with the highest mean peak, as in ICNN's released code.

    A single class may get most of the filters.
    """

    def category(self) -> Any:
        """Returns each filter's category, `[F]` int."""
        return ops.argmax(self._response_by_class(), axis=0)

    def _strength(self, maps: Any) -> Any:
        return ops.max(maps, (1, 2))


PREDICTED_CATEGORIES: dict[str, type[PredictedCategory]] = {
    "predicted": PredictedCategory,
    "highest_peak": HighestPeak,
}
"""The rules based on predicted classes, by the value of `ExplainerConfig.category_assignment`."""
