"""Which dtype an explainer computes in; variables, running statistics and losses are float32 either way."""

from __future__ import annotations

import keras


def set_compute_dtype(model: keras.Model, dtype: str) -> None:
    """Lets every layer, those of nested models included, compute in a dtype.

    Args:
        model: changed in place; functions traced before keep what they had.
        dtype: `float32` or `bfloat16`.
    """
    policy = "float32" if dtype == "float32" else f"mixed_{dtype}"
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            set_compute_dtype(layer, dtype)
        elif not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = policy
