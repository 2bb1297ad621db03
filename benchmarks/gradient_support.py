"""Measures the receptive field by gradients, independently of `receptive_field`.

A network is made linear with positive weights, so that no path from a pixel to a unit is cancelled or
switched off. The pixels with a nonzero gradient are then all that a unit can see. As the number of channels
does not matter, each layer gets only one: seconds instead of minutes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer import layer_graph

_NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.Normalization,
)
_GLOBAL = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)

# Images are strips of this width, and as long as necessary; wide enough for networks without padding.
_WIDTH = 96
_LONGER = (192, 960, 4032, 16320)
# Arguments of layers with a number of channels or of groups of channels.
_CHANNELS = ("filters", "units", "projection_dim", "groups")


def linear_copy(model: keras.Model, layer: str, seed: int = 0) -> keras.Model:
    """Returns a linear copy of a network up to a layer, with random positive weights.

    Activations and normalisations, which act on each position separately, become the identity; a maximum over
    a window becomes the mean over it; global pooling becomes constant. Layers have one channel.

    Args:
        model: functional.
        layer: name of the last layer.
        seed: of the weights.

    Returns:
        A model of images of any size.
    """
    cut = keras.Model(model.inputs[0], model.get_layer(layer).output)
    image = keras.Input((None, None, 3), dtype="float64")
    copy = keras.models.clone_model(cut, input_tensors=image, clone_function=_slim, call_function=_call)
    random = np.random.default_rng(seed)
    for weight in copy.weights:
        weight.assign(_positive(weight.path, weight.shape, random))
    return copy


def _slim(layer: Any) -> Any:
    """Copies a layer with one channel, in double precision.

    At the corners of a deep network's field, gradients are too small for float32.
    """
    config = layer.get_config()
    if isinstance(layer, keras.layers.Layer):  # Not an operation such as `a + b`.
        config |= {name: 1 for name in _CHANNELS if name in config}
        config["dtype"] = "float64"
    return type(layer).from_config(config)


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(layer, _NORMALISATIONS) or layer_graph.is_activation(layer):
        return args[0]
    if isinstance(layer, _GLOBAL):
        return keras.ops.ones_like(layer(*args))
    if isinstance(layer, keras.layers.Reshape):  # Of pooled channels, to a map of one place.
        return keras.ops.reshape(args[0], (-1, *layer.target_shape[:-1], args[0].shape[-1]))
    if isinstance(layer, keras.layers.MaxPooling2D):
        return keras.layers.AveragePooling2D(layer.pool_size, layer.strides, layer.padding, dtype="float64")(
            *args
        )
    if hasattr(layer, "activation"):
        layer.activation = keras.activations.linear
    return layer(*args, **kwargs)


def _positive(path: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if len(shape) < 2:
        return np.full(shape, 0.0 if "bias" in path else 1.0)
    # Moderate weights: their products neither vanish at a field's corners nor overflow at its centre.
    *window, channels, filters = shape
    terms = np.sqrt(np.prod(window)) * (channels if filters > 1 else 1)  # One filter: depthwise.
    return random.uniform(0.7, 1.0, shape) / terms


def extent(linear: keras.Model, size: tuple[int, int], unit: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns the range of pixels that reach a unit of a linear copy: those with a nonzero gradient.

    Args:
        linear: the copy.
        size: height and width of the image.
        unit: row and column; negative ones count from the end.

    Returns:
        First row, last row (exclusive), first column, last column (exclusive).
    """
    image = tf.ones((1, *size, 3), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(image)
        seen = tf.reduce_sum(linear(image, training=False)[:, unit[0], unit[1]])
    gradient = tape.gradient(seen, image).numpy()[0].any(-1)
    rows, columns = np.flatnonzero(gradient.any(1)), np.flatnonzero(gradient.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def measured_field(model: keras.Model, layer: str) -> ReceptiveField:
    """Returns the receptive field measured by gradients; the size of an oblong one is its longer side.

    Raises:
        ValueError: rows and columns are spaced differently, or no strip is long enough to hold half of the
            field.
    """
    linear, size = linear_copy(model, layer), model.inputs[0].shape[1]
    rows, columns = (_along(linear, size, axis) for axis in (0, 1))
    if (rows.stride, rows.centre) != (columns.stride, columns.centre):
        raise ValueError(f"{layer}: rows see {rows}, columns {columns}")
    return dataclasses.replace(rows, size=max(rows.size, columns.size))


def _along(linear: keras.Model, size: int, axis: int) -> ReceptiveField:
    """Measures along one axis, on longer and longer strips until the border hides nothing.

    All sizes differ from the model's own by multiples of 32, so that uneven padding is the same. The first
    two units' last pixels and the last unit's first pixel are inside the image as soon as half the field is.
    """
    for longer in _LONGER:
        length, width = size + longer, size % 32 + _WIDTH
        strip = (length, width) if axis == 0 else (width, length)
        units = linear.compute_output_shape((1, *strip, 3))[1 + axis]
        _, second = _ends(linear, strip, axis, 1)
        # With a margin: pixels at the end of the image that no window reaches also count as border.
        if second >= 0.9 * length:
            continue
        (_, first), (low, _) = (_ends(linear, strip, axis, unit) for unit in (0, units - 1))
        if low > 0:
            stride = second - first
            low -= stride * (units - 1)
            return ReceptiveField(size=first - low, stride=stride, centre=(first + low) / 2)
    raise ValueError(f"half of the field is longer than {length} pixels")


def _ends(linear: keras.Model, strip: tuple[int, int], axis: int, unit: int) -> tuple[int, int]:
    """Returns the first and the last (exclusive) pixel along an axis that reach a unit."""
    ends = extent(linear, strip, (unit, 0) if axis == 0 else (0, unit))
    return (ends[0], ends[1]) if axis == 0 else (ends[2], ends[3])
