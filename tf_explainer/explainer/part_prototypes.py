"""Prototypes of object parts in the performer's features, and the filters that stand for each."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_TEMPERATURE = 0.1
_TINY = 1e-6


@keras.saving.register_keras_serializable(package="tf_explainer")
class PartPrototypes(keras.layers.Layer):
    """Tells for each unit of a feature map how much it looks like each part.

    A unit's features `z = sqrt(max(x, 0))` are compared after the image's own mean is taken away, weighted by
    the units' norms: what tells one image from another (the species, the light) is gone, what tells its units
    apart is left. With `q` the rest in the directions of `projection`, scaled to a norm of 1, and `s_k` its
    cosine with the prototype of part k, the responsibility is `softmax_k(s / 0.1) max(s_k, 0) w`, w being the
    unit's norm as a share of the image's largest.

    Input `[B, L, L, D]`, output `[B, L, L, K]` float32 in [0, 1]. Nothing is learned by gradients:
    `training.part_discovery` finds the weights before training.

    Args:
        parts: K, how many.
        dimensions: of the space that features are compared in.
    """

    def __init__(self, parts: int, dimensions: int = 64, **kwargs: Any) -> None:
        super().__init__(trainable=False, **{"dtype": "float32"} | kwargs)
        self.parts, self.dimensions = parts, dimensions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the prototypes, all 0 at first, and the filters' groups, none at first."""
        channels = input_shape[-1]
        shapes = {
            "projection": (channels, self.dimensions),
            "prototypes": (self.parts, self.dimensions),
            "members": (channels, self.parts),
        }
        for name, shape in shapes.items():
            weight = self.add_weight(
                shape=shape, initializer="zeros", trainable=False, name=name, dtype="float32", autocast=False
            )
            setattr(self, name, weight)

    def call(self, features: Any) -> Any:
        """Returns the responsibilities."""
        features = ops.maximum(ops.cast(features, "float32"), 0)
        norm = ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True))
        weight = norm / ops.maximum(ops.max(norm, axis=(1, 2), keepdims=True), _TINY)
        z = ops.sqrt(features)
        mean = ops.sum(weight * z, (1, 2), keepdims=True) / ops.maximum(
            ops.sum(weight, (1, 2), keepdims=True), _TINY
        )
        rest = ops.matmul(z - mean, ops.convert_to_tensor(self.projection))
        size = ops.sqrt(ops.sum(ops.square(rest), axis=-1, keepdims=True))
        cosine = ops.matmul(rest / ops.maximum(size, _TINY), ops.transpose(self.prototypes))
        return ops.softmax(cosine / _TEMPERATURE, axis=-1) * ops.maximum(cosine, 0) * weight

    def load_own_variables(self, store: Any) -> None:
        """Reads the weights; in an older file, which has none, no filter is in a group."""
        if store.keys():
            super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        return {"name": config["name"], "parts": self.parts, "dimensions": self.dimensions}
