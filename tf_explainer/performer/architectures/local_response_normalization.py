"""Local response normalisation, which early networks apply after their first convolutions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_explainer")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides each unit by the strength of its neighbours in the channels (Krizhevsky et al. 2012, 3.3).

    `y_k = x_k / (kappa + alpha * sum_{t in G(k)} x_t^2) ^ beta`, `G(k)` the `size` channels around k:
    `(size - 1) // 2` below it, the rest above. (Caffe's alpha is `size` times this one.)

    Input and output: `[B, H, W, C]`.

    Args:
        size: of the neighbourhood, in channels.
        kappa, alpha, beta: as above.
    """

    def __init__(self, size: int, kappa: float, alpha: float, beta: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.kappa, self.alpha, self.beta = size, kappa, alpha, beta

    def call(self, inputs: Any) -> Any:
        """Normalises `[B, H, W, C]`; sums squares in float32, as they would overflow float16."""
        x = ops.cast(inputs, "float32")
        below, channels = (self.size - 1) // 2, inputs.shape[-1]
        square = ops.pad(ops.square(x), [(0, 0), (0, 0), (0, 0), (below, self.size - 1 - below)])
        near = sum(square[..., offset : offset + channels] for offset in range(self.size))
        return ops.cast(x * ops.power(self.kappa + self.alpha * near, -self.beta), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"size": self.size, "kappa": self.kappa, "alpha": self.alpha, "beta": self.beta}
        return super().get_config() | own
