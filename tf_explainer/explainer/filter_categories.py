"""Which images a filter takes for its own, by the rule that `ExplainerConfig.category_assignment` names."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_explainer.explainer.layers import LossStatistic

_SINKHORN_ROUNDS = 20
_TINY = 1e-12
# A filter responds to an image whose peak is at least this share of the filter's mean peak.
_RESPONDS = 0.5


class EveryImage:
    """`none`: filters have no categories."""

    def positive(self, maps: Any, labels: Any, training: bool) -> Any:
        """Returns which images are of each filter's category.

        Args:
            maps: `[B, L, L, F]`, in mean peaks of each filter.
            labels: `[B]` int, the class that the performer names; None where it is not known.
            training: whether running means take this batch in.

        Returns:
            `[B, F]` bool; None: all are.
        """
        del maps, labels, training


class RespondingImages(EveryImage):
    """`activation`: the images that a filter responds to."""

    def positive(self, maps: Any, labels: Any, training: bool) -> Any:
        """See `EveryImage`."""
        del labels, training
        return ops.stop_gradient(ops.max(maps, axis=(1, 2))) > _RESPONDS


class PredictedCategory(keras.layers.Layer):
    """`predicted`: the images of the class whose images activate the filter most (ICNN, section 3).

    Args:
        filters: how many.
        classes: of the performer.
        negative_class: the class that is no category; None: there is none.
        momentum: of the running means.
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
        """See `EveryImage`; in training takes in how strongly filters respond to the images of each class."""
        if training:
            of_class = ops.one_hot(labels, self.classes, dtype="float32")
            self.response.update(of_class[..., None] * self._strength(maps)[:, None])
            self.frequency.update(of_class)
        return labels[:, None] == ops.cast(self.category(), labels.dtype)[None]

    def category(self) -> Any:
        """Returns each filter's category, `[F]` int.

        Activations are compared after the layer's classes, and each filter's activations over classes, were
        brought to the same sum (Sinkhorn, Ann. Math. Stat. 35, 1964): every class then has about the same
        share of the filters. Else the class that activates the layer most takes all of them, and what then
        hardly responds to the other classes can win them no more.
        """
        response = self._response_by_class()
        for _ in range(_SINKHORN_ROUNDS):
            response = response / ops.maximum(ops.sum(response, axis=0), _TINY)
            response = response / ops.maximum(ops.mean(response, axis=1, keepdims=True), _TINY)
        return ops.argmax(response, axis=0)

    def _strength(self, maps: Any) -> Any:
        return ops.mean(maps, (1, 2))

    def _response_by_class(self) -> Any:
        """Returns the mean strength on the images of each class, `[classes, F]`; 0 for the negative one."""
        frequency = ops.maximum(ops.convert_to_tensor(self.frequency.value), 1e-6)
        response = ops.convert_to_tensor(self.response.value) / frequency[:, None]
        if self.negative_class is None:
            return response
        return response * (1 - ops.one_hot(self.negative_class, self.classes, dtype="float32"))[:, None]


class HighestPeak(PredictedCategory):
    """`highest_peak`: those of the class with the filter's highest mean peak, as in ICNN's released code.

    Nothing keeps one class from taking most of the filters.
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
"""The rules that go by predicted classes, by the value of `ExplainerConfig.category_assignment`."""
