"""Finds the loss terms and the layer that a NaN or an infinity comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import Explainer


def origin(
    explainer: Explainer, features: np.ndarray, terms: Mapping[str, float], gradients: Mapping[str, float]
) -> str:
    """Describes what is not finite and the layer where that begins.

    Args:
        explainer: the explainer as it was before the step.
        features: features of the target layer in the step's batch, `[B, L, L, D]`.
        terms: the step's loss terms.
        gradients: the step's squared gradient norms by layer.
    """
    wrong = [f"{name} is {value}" for name, value in terms.items() if not math.isfinite(value)]
    what = ", ".join(wrong) or "the gradient is not finite"
    return f"{what}; it begins in {_layer(explainer, features, gradients)}"


def _layer(explainer: Explainer, features: np.ndarray, gradients: Mapping[str, float]) -> str:
    if not np.isfinite(features).all():
        return "the stored features"
    # Nested models (trunk and head) are skipped: their weights never change.
    layers = [
        layer for layer in explainer.layers if not isinstance(layer, keras.layers.InputLayer | keras.Model)
    ]
    outputs = keras.Model(explainer.input, [layer.output for layer in layers])(features, training=False)
    for layer, output in zip(layers, outputs, strict=True):
        if not np.isfinite(ops.convert_to_numpy(ops.cast(output, "float32"))).all():
            return f"the output of layer {layer.name}"
    # Back-propagation starts at the last layer.
    for layer in reversed(layers):
        if not math.isfinite(gradients.get(layer.name, 0.0)):
            return f"the gradient of layer {layer.name}"
    return "the loss itself"
