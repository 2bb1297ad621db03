"""The preprocessing of early networks: subtraction of the mean of their training images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tf_explainer")
class MeanImage(keras.layers.Layer):
    """Subtracts an image, or a colour, that is a weight of the layer.

    Input `[B, H, W, 3]`, float or uint8, RGB, 0 to 255. Output `[B, H, W, 3]` in the layer's dtype.

    Args:
        shape: of the mean: `(H, W, 3)`, or `(1, 1, 3)` for a colour.
    """

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.shape = tuple(shape)
        self.mean = self.add_weight(
            shape=self.shape,
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="mean",
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Subtracts in float32."""
        difference = ops.cast(inputs, "float32") - ops.convert_to_tensor(self.mean)
        return ops.cast(difference, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        return {"name": config["name"], "dtype": config["dtype"], "shape": list(self.shape)}
