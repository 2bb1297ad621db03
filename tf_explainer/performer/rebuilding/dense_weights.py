"""The weights of Dense layers, from which the explainer's decoder is initialised."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

# Quantisation modes whose multiplication equals that by a kernel of floats.
_READABLE = (None, "int8", "float8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenseWeights:
    """The weights and activation of a Dense layer of the performer.

    Attributes:
        kernel: `[inputs, units]` float32, with LoRA's update; int8 is dequantised.
        bias: `[units]` float32, zeros if the layer has none.
        activation: name of the activation.
    """

    kernel: np.ndarray
    bias: np.ndarray
    activation: str


def has_weights(layer: Any) -> bool:
    """Returns whether a layer is Keras' Dense with readable weights and one of Keras' activations."""
    return (
        type(layer) is keras.layers.Dense
        and layer.quantization_mode in _READABLE
        and not (layer.quantization_mode and layer.lora_enabled)
        and isinstance(keras.activations.serialize(layer.activation), str)
    )


def weights_of(layer: Any) -> DenseWeights | None:
    """Returns a layer's weights, or None if `has_weights` is False."""
    if not has_weights(layer):
        return None
    kernel = keras.ops.convert_to_numpy(layer.kernel).astype(np.float32)
    if layer.quantization_mode == "int8":
        kernel /= keras.ops.convert_to_numpy(layer.kernel_scale)
    bias = layer.bias if layer.use_bias else np.zeros(layer.units)
    return DenseWeights(
        kernel=kernel,
        bias=keras.ops.convert_to_numpy(bias).astype(np.float32),
        activation=keras.activations.serialize(layer.activation),
    )
