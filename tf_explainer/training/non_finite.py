"""Where a NaN or an infinity comes from: the loss terms and the layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import Explainer


def origin(
    explainer: Explainer, features: np.ndarray, terms: Mapping[str, float], gradients: Mapping[str, float]
) -> str:
    """Says what is not finite, in words.

    Args:
        explainer: as it was before the step.
        features: of the target layer, `[B, L, L, D]`, that the step saw.
        terms: the step's loss terms.
        gradients: its squared gradient norm by layer.
    """
    wrong = [f"{name} is {value}" for name, value in terms.items() if not math.isfinite(value)]
    what = ", ".join(wrong) or "the gradient is not finite"
    return f"{what}; it begins in {_layer(explainer, features, gradients)}"


def _layer(explainer: Explainer, features: np.ndarray, gradients: Mapping[str, float]) -> str:
    if not np.isfinite(features).all():
        return "the stored features"
    # A nested model, the trunk, has no output of its own in the explainer; its weights never change.
    layers = [
        layer for layer in explainer.layers if not isinstance(layer, keras.layers.InputLayer | keras.Model)
    ]
    outputs = keras.Model(explainer.input, [layer.output for layer in layers])(features, training=False)
    for layer, output in zip(layers, outputs, strict=True):
        if not np.isfinite(_numpy(output)).all():
            return f"the output of layer {layer.name}"
    # Backwards the last layer comes first.
    for layer in reversed(layers):
        if not math.isfinite(gradients.get(layer.name, 0.0)):
            return f"the gradient of layer {layer.name}"
    return "the loss itself"


def _numpy(output: Any) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(output, "float32"))
