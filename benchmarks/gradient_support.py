"""The receptive field as gradients show it: an account that shares nothing with `receptive_field`.

A network is made linear with positive weights, so that no path from a pixel to a unit is cancelled or
switched off. The pixels that a unit's gradient reaches are then all that it can see.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer import layer_graph
from tf_explainer.schema import ReceptiveField

_NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.Normalization,
)
_GLOBAL = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)

# First and last (exclusive) row, and first and last column.
Extent = tuple[int, int, int, int]


def linear_copy(model: keras.Model, layer: str, seed: int = 0) -> keras.Model:
    """Returns a copy of a network up to a layer that only adds up, with random positive weights.

    Activations and normalisations, which act on each place by itself, become the identity; a maximum over a
    window becomes the mean over that window; what pools the whole image is held constant.

    Args:
        model: functional, of fixed input size.
        layer: its name.
        seed: of the weights.
    """
    cut = keras.Model(model.inputs[0], model.get_layer(layer).output)
    # A model's class may be one of a person's own, with a constructor of its own.
    copy = keras.models.clone_model(cut, call_function=_call)
    random = np.random.default_rng(seed)
    for weight in copy.weights:
        weight.assign(_positive(weight.path, weight.shape, random))
    return copy


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(layer, _NORMALISATIONS) or layer_graph.is_activation(layer):
        return args[0]
    if isinstance(layer, _GLOBAL):
        return keras.ops.ones_like(layer(*args))
    if isinstance(layer, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D(layer.pool_size, layer.strides, layer.padding)(*args)
    if hasattr(layer, "activation"):
        layer.activation = keras.activations.linear
    return layer(*args, **kwargs)


def _positive(path: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if len(shape) < 2:
        return np.full(shape, 0.0 if "bias" in path else 1.0)
    # Middling weights: their products neither vanish at a field's corners nor overflow at its centre.
    *window, channels, filters = shape
    terms = np.sqrt(np.prod(window)) * (channels if filters > 1 else 1)  # One filter: depthwise.
    return random.uniform(0.7, 1.0, shape) / terms


def extent(linear: keras.Model, unit: tuple[int, int]) -> Extent:
    """Returns the pixels that reach a unit of a linear copy: those with a gradient that is not 0."""
    image = tf.ones((1, *linear.inputs[0].shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        seen = tf.reduce_sum(linear(image, training=False)[:, unit[0], unit[1]])
    gradient = tape.gradient(seen, image).numpy()[0].any(-1)
    rows, columns = np.flatnonzero(gradient.any(1)), np.flatnonzero(gradient.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def measured_field(model: keras.Model, layer: str) -> ReceptiveField | None:
    """Returns the receptive field that the gradients of three units show.

    The first two units' last pixels and the last unit's first pixel are free of the image's border as long as
    half of the field fits into the image.

    Returns:
        None where the image is too small for that, or where rows and columns differ.
    """
    linear = linear_copy(model, layer)
    image, units = model.inputs[0].shape[1], linear.outputs[0].shape[1]
    first, second, last = (extent(linear, (unit, unit)) for unit in (0, 1, units - 1))
    if first[:2] != first[2:] or second[:2] != second[2:] or last[:2] != last[2:]:
        return None
    if second[1] == image or last[0] == 0:
        return None
    stride = second[1] - first[1]
    low = last[0] - stride * (units - 1)
    return ReceptiveField(size=first[1] - low, stride=stride, centre=(first[1] + low) / 2)


def expected_extent(field: ReceptiveField, unit: tuple[int, int], image_size: int) -> Extent:
    """Returns which of the image's pixels a unit sees, by a receptive field."""
    ends = []
    for index in unit:
        centre = field.centre + field.stride * index
        ends += [max(centre - field.size / 2, 0), min(centre + field.size / 2, image_size)]
    return tuple(map(int, ends))  # type: ignore[return-value]
