"""Prototypes of object parts in the space of the performer's features, and the filters assigned to each."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_TEMPERATURE = 0.1
_TINY = 1e-6


@keras.saving.register_keras_serializable(package="tf_explainer")
class PartPrototypes(keras.layers.Layer):
    """Computes how much each unit of a feature map resembles each part.

    From a unit's features `z = sqrt(max(x, 0))` the image's mean, weighted by the norms of its units, is
    subtracted. This removes what distinguishes images (the species, the light) and keeps what distinguishes
    the units of an image. The difference is projected by `projection` and scaled to a norm of 1. With `s_k`
    its cosine with the prototype of part k, and w the unit's norm divided by the largest norm in the image,
    the responsibility is `softmax_k(s / 0.1) max(s_k, 0) w`.

    Input `[B, L, L, D]`, output `[B, L, L, K]` float32 in [0, 1]. The weights are not trained:
    `training.part_discovery` finds them before training.

    Args:
        parts: K, the number of parts.
        dimensions: number of dimensions of the space in which features are compared.
    """

    def __init__(self, parts: int, dimensions: int = 64, **kwargs: Any) -> None:
        super().__init__(trainable=False, **{"dtype": "float32"} | kwargs)
        self.parts, self.dimensions = parts, dimensions

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the prototypes and the filters' groups, initially all 0: no filter is in a group."""
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
        """Reads the weights; if an older file has none, no filter is in a group."""
        if store.keys():
            super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"name": self.name, "parts": self.parts, "dimensions": self.dimensions}
