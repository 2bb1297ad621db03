"""Gradients that can be converted to ONNX.

ONNX has no operation for the gradient of a ReLU or a pooling, and TensorFlow's gradients of sums and products
use dynamic shapes. This module computes the same gradients by comparisons, products and shifts:

with onnx_gradients.used():  # In a tf.function.
    y = ...
    gradient = tf.gradients(y, x)

All sizes except the number of images must be static. Of equal maxima in a pooling window, the first gets the
gradient, as in TensorFlow.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_GRADIENTS: dict[str, Callable[[Any, Any], Any]] = {}


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Makes `tf.gradients`, called in this block, use these gradients for operations created in it."""
    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map({name: _registered(name) for name in _GRADIENTS}):
        yield
    # Loading a saved graph would warn about each of these names.
    for operation in graph.get_operations():
        if operation.type in _GRADIENTS and "_gradient_op_type" in operation.node_def.attr:
            operation._clear_attr("_gradient_op_type")


def _registered(name: str) -> str:
    return f"TfExplainerOnnx{name}"


def _gradient_of(name: str) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
    def register(gradient: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        _GRADIENTS[name] = gradient
        tf.RegisterGradient(_registered(name))(gradient)
        return gradient

    return register


@_gradient_of("Relu")
def _relu(operation: Any, above: Any) -> Any:
    return above * tf.cast(operation.outputs[0] > 0, above.dtype)


@_gradient_of("Relu6")
def _relu6(operation: Any, above: Any) -> Any:
    value = operation.outputs[0]
    return above * tf.cast((value > 0) & (value < 6), above.dtype)


@_gradient_of("Sigmoid")
def _sigmoid(operation: Any, above: Any) -> Any:
    value = operation.outputs[0]
    return above * value * (1 - value)


@_gradient_of("AddV2")
def _add(operation: Any, above: Any) -> Any:
    return [_unbroadcast(above, term) for term in operation.inputs]


@_gradient_of("Sub")
def _subtract(operation: Any, above: Any) -> Any:
    return [_unbroadcast(above, operation.inputs[0]), _unbroadcast(-above, operation.inputs[1])]


@_gradient_of("Mul")
def _multiply(operation: Any, above: Any) -> Any:
    left, right = operation.inputs
    return [_unbroadcast(above * right, left), _unbroadcast(above * left, right)]


@_gradient_of("RealDiv")
def _divide(operation: Any, above: Any) -> Any:
    left, right = operation.inputs
    return [_unbroadcast(above / right, left), _unbroadcast(-above * left / (right * right), right)]


def _unbroadcast(gradient: Any, operand: Any) -> Any:
    """Sums a gradient over the axes along which an operand was broadcast."""
    missing = len(gradient.shape) - len(operand.shape)
    gradient = tf.reduce_sum(gradient, axis=list(range(missing))) if missing else gradient
    repeated = [axis for axis, size in enumerate(operand.shape) if size == 1 and gradient.shape[axis] != 1]
    return tf.reduce_sum(gradient, axis=repeated, keepdims=True) if repeated else gradient


@_gradient_of("Sum")
def _sum(operation: Any, above: Any) -> Any:
    return [_repeated(operation, above), None]


@_gradient_of("Mean")
def _mean(operation: Any, above: Any) -> Any:
    inputs = operation.inputs[0]
    count = np.prod([inputs.shape[axis] for axis in _axes(operation)])
    return [_repeated(operation, above / tf.cast(count, above.dtype)), None]


def _repeated(operation: Any, gradient: Any) -> Any:
    """Broadcasts a gradient along the axes that an operation reduced."""
    if not operation.get_attr("keep_dims"):
        for axis in _axes(operation):
            gradient = tf.expand_dims(gradient, axis)
    return gradient + tf.zeros_like(operation.inputs[0])


def _axes(operation: Any) -> list[int]:
    rank = len(operation.inputs[0].shape)
    return sorted(int(axis) % rank for axis in np.atleast_1d(tf.get_static_value(operation.inputs[1])))


@_gradient_of("Conv2D")
def _conv(operation: Any, above: Any) -> Any:
    inputs, kernel = operation.inputs
    return [
        tf.nn.conv2d_transpose(
            above,
            kernel,
            [tf.shape(above)[0], *inputs.shape[1:]],
            operation.get_attr("strides"),
            operation.get_attr("padding").decode(),
            dilations=operation.get_attr("dilations"),
        ),
        None,
    ]


@_gradient_of("MaxPool")
def _max_pool(operation: Any, above: Any) -> Any:
    inputs, pooled = operation.inputs[0], operation.outputs[0]
    windows = _Windows(operation, inputs.shape, operation.get_attr("ksize")[1:3])
    padded = windows.pad(inputs, inputs.dtype.min)
    free = tf.ones_like(pooled)
    total = tf.zeros_like(windows.pad(inputs, 0.0))
    for offset in windows.offsets:
        first = free * tf.cast(tf.equal(windows.take(padded, offset), pooled), pooled.dtype)
        free -= first
        total += windows.put(above * first, offset)
    return windows.crop(total)


@_gradient_of("AvgPool")
def _average_pool(operation: Any, above: Any) -> Any:
    inputs = operation.inputs[0]
    windows = _Windows(operation, inputs.shape, operation.get_attr("ksize")[1:3])
    # TensorFlow averages over the units inside the map, not over the padding.
    inside = windows.pad(tf.ones([1, *inputs.shape[1:]], inputs.dtype), 0.0)
    share = above / sum(windows.take(inside, offset) for offset in windows.offsets)
    return windows.crop(sum(windows.put(share, offset) for offset in windows.offsets))


@_gradient_of("DepthwiseConv2dNative")
def _depthwise_conv(operation: Any, above: Any) -> Any:
    inputs, kernel = operation.inputs
    windows = _Windows(operation, inputs.shape, kernel.shape[:2], operation.get_attr("dilations")[1])
    multiplier = kernel.shape[3]
    per_channel = tf.reshape(above, [-1, *above.shape[1:3], inputs.shape[3], multiplier])
    total = sum(
        windows.put(tf.reduce_sum(per_channel * kernel[row, column], axis=-1), (row, column))
        for row, column in windows.offsets
    )
    return [windows.crop(total), None]


class _Windows:
    """The windows that an operation slides over maps `[B, H, W, C]`.

    Args:
        operation: with attributes `strides` and `padding`.
        shape: of its input.
        size: height and width of a window.
        dilation: distance between neighbours in a window.
    """

    def __init__(self, operation: Any, shape: Any, size: Any, dilation: int = 1) -> None:
        self._stride = operation.get_attr("strides")[1]
        self._dilation = dilation
        same = operation.get_attr("padding") == b"SAME"
        self._sizes = [int(side) for side in shape[1:3]]
        self._before, self._after, self._counts = [], [], []
        for side, window in zip(self._sizes, size, strict=True):
            extent = dilation * (window - 1) + 1
            count = -(-side // self._stride) if same else (side - extent) // self._stride + 1
            # The padded map ends with the last window or with the input, whichever is later.
            missing = (count - 1) * self._stride + extent - side
            self._before.append(max(missing, 0) // 2 if same else 0)
            self._after.append(max(missing, 0) - self._before[-1])
            self._counts.append(count)
        rows, columns = size
        self.offsets = list(itertools.product(range(int(rows)), range(int(columns))))

    def pad(self, maps: Any, value: float) -> Any:
        """Pads maps as the operation does."""
        edges = [[0, 0], *([b, a] for b, a in zip(self._before, self._after, strict=True)), [0, 0]]
        return tf.pad(maps, edges, constant_values=value)

    def crop(self, padded: Any) -> Any:
        """Removes the padding."""
        (top, left), (height, width) = self._before, self._sizes
        return padded[:, top : top + height, left : left + width]

    def take(self, padded: Any, offset: tuple[int, int]) -> Any:
        """Returns the values at one offset of every window, `[B, rows, columns, C]`."""
        (top, left), (rows, columns) = self._starts(offset), self._counts
        return padded[
            :,
            top : top + (rows - 1) * self._stride + 1 : self._stride,
            left : left + (columns - 1) * self._stride + 1 : self._stride,
        ]

    def put(self, values: Any, offset: tuple[int, int]) -> Any:
        """Puts values at one offset of every window and 0 elsewhere; the transpose of `take`."""
        rows, columns = self._counts
        channels = values.shape[3]
        if self._stride > 1:
            gap = self._stride - 1
            spread = tf.reshape(values, [-1, rows, 1, columns, 1, channels])
            spread = tf.pad(spread, [[0, 0], [0, 0], [0, gap], [0, 0], [0, gap], [0, 0]])
            values = tf.reshape(spread, [-1, rows * self._stride, columns * self._stride, channels])
            values = values[:, : (rows - 1) * self._stride + 1, : (columns - 1) * self._stride + 1]
        edges = [[0, 0]]
        for axis, start in enumerate(self._starts(offset)):
            padded = self._before[axis] + self._sizes[axis] + self._after[axis]
            edges.append([start, padded - start - int(values.shape[axis + 1])])
        return tf.pad(values, [*edges, [0, 0]])

    def _starts(self, offset: tuple[int, int]) -> tuple[int, int]:
        return offset[0] * self._dilation, offset[1] * self._dilation
