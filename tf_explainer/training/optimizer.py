"""Adam with a separate step size for some layers, and the schedules of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tf_explainer")
class GroupedAdam(keras.optimizers.Adam):
    """Adam with a factor of the learning rate for each variable, depending on its layer.

    The scalar w_p hardly changes at the encoder's learning rate, and the decoder, which starts with the
    performer's weights, needs another learning rate than the convolutions.

    Args:
        learning_rate: learning rate of variables that no prefix matches.
        multipliers: factor of the learning rate by prefix of a layer's name (`{"mix": 200.0}`).
        gradients_are_summed: whether the gradients given to `apply` are already summed over replicas.
        **kwargs: as for `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-4,
        multipliers: Mapping[str, float] | None = None,
        gradients_are_summed: bool = False,
        name: str = "grouped_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.multipliers = dict(multipliers or {})
        self.gradients_are_summed = gradients_are_summed

    def multiplier(self, path: str) -> float:
        """Returns the factor for the variable at `path` (`model/layer/weight`)."""
        layers = path.split("/")[:-1]
        for prefix, factor in self.multipliers.items():
            if any(layer.startswith(prefix) for layer in layers):
                return factor
        return 1.0

    def build(self, variables: Any) -> None:
        """Creates Adam's state and looks up each variable's factor."""
        super().build(variables)
        self._multipliers = [self.multiplier(variable.path) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable with its own learning rate."""
        # The backend passes its own kind of variable, which has no path; Adam looks up its state this way
        # too.
        factor = self._multipliers[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * factor)

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        """Sums over replicas, like Keras' TensorFlow optimizer, unless that is already done."""
        return (
            grads_and_vars if self.gradients_are_summed else super()._all_reduce_sum_gradients(grads_and_vars)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {
            "multipliers": self.multipliers,
            "gradients_are_summed": self.gradients_are_summed,
        }


def schedule_factor(schedule: str, progress: float, step: int = 0, warmup: int = 0) -> float:
    """Returns the factor of the learning rate for the next optimizer step.

    Args:
        schedule: `constant`, `cosine` (`(1 + cos(pi t)) / 2`) or `linear` (`1 - t`).
        progress: t, the completed share of the training, in [0, 1].
        step: completed optimizer steps.
        warmup: steps over which the factor rises from 0 to the schedule's factor.

    Returns:
        A number in [0, 1].
    """
    falling = {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "linear": 1 - progress,
    }[schedule]
    return falling * min(1.0, (step + 1) / (warmup + 1))
