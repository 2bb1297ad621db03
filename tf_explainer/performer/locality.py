"""Whether a layer acts on each place of a map by itself, so that its units stand where those below stand."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np

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


def is_local(operation: Any, below: Any) -> bool:
    """Returns whether a layer or operation of one map acts on each place by itself.

    What is not known is tried: where one place of a map is changed, no other may answer as much. (A flip
    keeps a map's shape, too, and so does attention.)

    Args:
        operation: built.
        below: the symbolic map that it acts on, `[B, H, W, C]`.
    """
    if isinstance(operation, _LOCAL) or type(operation).__name__ in _BY_NAME:
        return True
    try:
        return _answers_in_place(operation, below)
    except Exception:  # Whatever a layer raises where its input has another size.
        return False


def _answers_in_place(operation: Any, below: Any) -> bool:
    rng = np.random.default_rng(0)
    options = {"training": False} if getattr(operation, "_call_has_training_arg", False) else {}
    for scale, place in itertools.product((1, 10), ((0, 0), (0, 1))):
        before = rng.normal(0, scale, (1, *below.shape[1:])).astype(np.float32)
        after = before.copy()
        after[0][place] = rng.normal(0, scale, before.shape[-1])
        first, second = (
            keras.ops.convert_to_numpy(keras.ops.cast(operation(each, **options), "float32"))
            for each in (before, after)
        )
        change = np.abs(first - second).max(axis=(0, 3))
        here = change[place]
        change[place] = 0
        # What takes its scale from all places changes all of them, but one most.
        if change.max() > _ELSEWHERE * here:
            return False
    return True
