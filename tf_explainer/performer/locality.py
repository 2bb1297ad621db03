"""Whether a layer acts on each place of a map by itself, so that its units stand where those below stand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_explainer.performer import layer_graph

# Of what people use most: each place by itself, whatever the settings.
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
# The largest answer of another place, as a share of the answer of the place that was changed.
_ELSEWHERE = 0.1


def is_local(output: Any) -> bool:
    """Returns whether what made a map acts on each place of the one map below it by itself.

    What is not known is tried: where one place of a map is changed, no other may answer as much. (A flip
    keeps a map's shape, too, and so does attention.)

    Args:
        output: symbolic, `[B, H, W, C]`, as is what it is made from.
    """
    operation = layer_graph.producer(output)
    if isinstance(operation, _LOCAL) or type(operation).__name__ in _BY_NAME:
        return True
    try:
        return _answers_in_place(keras.Model(layer_graph.sources(output)[0], output))
    except Exception:  # Whatever a layer raises where it is given a map alone.
        return False


def _answers_in_place(step: keras.Model) -> bool:
    rng = np.random.default_rng(0)
    for place in ((0, 0), (0, 1)):
        before = rng.normal(size=step.inputs[0].shape[1:]).astype(np.float32)
        after = before.copy()
        after[place] = rng.normal(size=before.shape[-1])
        maps = keras.ops.cast(step(np.stack([before, after]), training=False), "float32")
        first, second = keras.ops.convert_to_numpy(maps)
        change = np.abs(first - second).max(axis=-1)
        here = change[place]
        change[place] = 0
        # What takes its scale from all places changes all of them, but one most.
        if change.max() > _ELSEWHERE * here:
            return False
    return True
