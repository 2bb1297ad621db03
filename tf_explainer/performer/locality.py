"""Detects layers that act on each position of a map separately, so that positions stay what they are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_explainer.performer import layer_graph

# Common layers that act on each position separately, whatever their settings.
_LOCAL = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.GroupNormalization,
    keras.layers.Identity,
    keras.layers.LayerNormalization,
    keras.layers.LeakyReLU,
    keras.layers.Normalization,
    keras.layers.PReLU,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.SpatialDropout2D,
)
_BY_NAME = {
    "Cast",
    "Relu",
    "Relu6",
    "Silu",
    "Gelu",
    "Sigmoid",
    "HardSilu",
    "HardSigmoid",
    "Tanh",
    "Elu",
    "LeakyRelu",
}
# Largest allowed change at another position, as a share of the change at the position that was changed.
_ELSEWHERE = 0.1


def is_local(output: Any) -> bool:
    """Returns whether the layer that computes a map acts on each position of its only input separately.

    Unknown layers are tested: if the input changes at one position, the output may hardly change at others.
    (The shape does not tell: flips and attention keep it too.)

    Args:
        output: symbolic map `[B, H, W, C]`, computed from a map of the same height and width.
    """
    operation = layer_graph.producer(output)
    if isinstance(operation, _LOCAL) or type(operation).__name__ in _BY_NAME:
        return True
    try:
        return _changes_in_place(keras.Model(layer_graph.sources(output)[0], output))
    except Exception:  # A custom layer may raise anything if it gets nothing but a map.
        return False


def _changes_in_place(step: keras.Model) -> bool:
    rng = np.random.default_rng(0)
    for position in ((0, 0), (0, 1)):
        before = rng.normal(size=step.inputs[0].shape[1:]).astype(np.float32)
        after = before.copy()
        after[position] = rng.normal(size=before.shape[-1])
        maps = keras.ops.cast(step(np.stack([before, after]), training=False), "float32")
        first, second = keras.ops.convert_to_numpy(maps)
        change = np.abs(first - second).max(axis=-1)
        here = change[position]
        change[position] = 0
        # Normalisation over all positions changes all of them a little.
        if change.max() > _ELSEWHERE * here:
            return False
    return True
