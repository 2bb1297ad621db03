"""Receptive fields, computed from a model's graph: the pixels that a unit of a layer can see.

Along either axis, unit `i` of a tensor sees the pixels `[low + stride * i, high + stride * i)`. A window of
`k` inputs (dilation d, stride s, p inputs of padding before the first) maps this to

    low' = low - stride * p,   high' = high + stride * (d * (k - 1) - p),   stride' = stride * s

`same` padding depends on the input's size and may be uneven: `p` is the smaller half of
`max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)`. Where branches meet, the field reaches from the lowest
to the highest pixel that any of them sees; its centre is the middle of this range. Branches that see the
whole image (squeeze-and-excitation) are ignored in products, where they only scale the local branches.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from tf_explainer.errors import UserError
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer import layer_graph
from tf_explainer.performer.locality import is_local

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


@dataclasses.dataclass(frozen=True)
class _Span:
    """Pixels that unit 0 sees along one axis, and the distance between neighbouring units."""

    low: float
    high: float
    stride: float

    def moved(self, inputs: float) -> _Span:
        return dataclasses.replace(
            self, low=self.low + self.stride * inputs, high=self.high + self.stride * inputs
        )


# Spans of rows and columns; None: the whole image.
_Field = tuple[_Span, _Span] | None


def receptive_field(model: keras.Model, layer: str) -> ReceptiveField:
    """Computes the receptive field of a layer's units.

    Args:
        model: a functional model with channels last and an input of fixed size `[B, H, W, C]`.
        layer: name in `layer_graph.places` of a tensor `[B, L, L, D]`.

    Returns:
        Size, stride and centre in continuous pixels of the model's input. The size of a field that is not
        square is its longer side.

    Raises:
        UserError: the layer sees the whole image, its units lie on no regular grid, or the geometry of a
            layer below it is unknown.
    """
    output = layer_graph.places(model)[layer]
    pixel = _Span(0.0, 1.0, 1.0)
    field = _field_above(output, (pixel, pixel))
    if field is None or not layer_graph.is_map(output):
        raise UserError(f"--target_layer={layer}: every unit sees the whole image; choose a lower layer")
    rows, columns = field
    if rows.stride != columns.stride or rows.low + rows.high != columns.low + columns.high:
        raise UserError(f"--target_layer={layer}: rows and columns of its units are spaced differently")
    return ReceptiveField(
        size=max(rows.high - rows.low, columns.high - columns.low),
        stride=rows.stride,
        centre=(rows.low + rows.high) / 2,
    )


def _field_above(output: Any, start: _Field) -> _Field:
    """Returns the field of a model's output when its input has the field `start`."""
    fields: dict[int, _Field] = {}
    for tensor in layer_graph.in_order(output):
        inputs = layer_graph.sources(tensor)
        below = [fields[id(source)] for source in inputs]
        fields[id(tensor)] = _field(tensor, inputs, below) if inputs else start
    return fields[id(output)]


def _field(tensor: Any, inputs: list[Any], below: list[_Field]) -> _Field:
    """Returns the field of a tensor from the fields `below` of its inputs."""
    operation = layer_graph.producer(tensor)
    if all(field is None for field in below) or _is_global(operation, tensor):
        return None
    if len(inputs) > 1:
        return _merged(operation, tensor, inputs, below)
    if isinstance(operation, keras.Model):
        return _field_above(operation.outputs[0], below[0])
    if below[0] is None:
        return None
    rows, columns = below[0]
    return (
        _transformed(operation, 0, tensor, inputs[0], rows),
        _transformed(operation, 1, tensor, inputs[0], columns),
    )


def _is_global(operation: Any, tensor: Any) -> bool:
    pooling = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
    has_one_unit = tuple(tensor.shape[1:3]) == (1, 1)
    return isinstance(operation, pooling) or not layer_graph.is_map(tensor) or has_one_unit


def _transformed(operation: Any, axis: int, output: Any, below: Any, span: _Span) -> _Span:
    """Returns the span of a layer's output along one axis, from that of its only input."""
    if getattr(operation, "data_format", "channels_last") == "channels_first":
        raise UserError(
            f"layer {operation.name!r} has channels first; only maps with channels last can be explained"
        )
    if isinstance(operation, _CONVOLUTIONS):
        return _windowed(span, operation, operation.kernel_size, operation.dilation_rate, axis, below)
    if isinstance(operation, _POOLINGS):
        return _windowed(span, operation, operation.pool_size, 1, axis, below)
    if isinstance(operation, keras.layers.ZeroPadding2D):
        return span.moved(-operation.padding[axis][0])
    if isinstance(operation, keras.layers.Cropping2D):
        return span.moved(operation.cropping[axis][0])
    if isinstance(operation, keras.layers.Resizing) and _keeps_all(operation, below):
        return _resized(span, below.shape[1 + axis] / output.shape[1 + axis])
    if isinstance(operation, keras.layers.CenterCrop) and output.shape[1 + axis] <= below.shape[1 + axis]:
        return span.moved((below.shape[1 + axis] - output.shape[1 + axis]) // 2)
    if output.shape[1:3] == below.shape[1:3] and is_local(output):
        return span
    raise UserError(
        f"the receptive field after layer {operation.name!r} ({type(operation).__name__}) is unknown: "
        "choose a --target_layer below it"
    )


def _keeps_all(operation: Any, below: Any) -> bool:
    """Returns whether a Resizing neither crops nor pads: both its input and its output are square."""
    return below.shape[1] == below.shape[2] and operation.height == operation.width


def _resized(span: _Span, ratio: float) -> _Span:
    """Returns the span after interpolation: unit o sees the two units nearest to (o + 1/2) r - 1/2."""
    at = ratio / 2 - 0.5
    return _Span(
        span.low + span.stride * (at - 0.5), span.high + span.stride * (at + 0.5), span.stride * ratio
    )


def _windowed(
    span: _Span, operation: Any, window: Any, dilation: int | tuple[int, int], axis: int, below: Any
) -> _Span:
    spread = _at(dilation, axis) * (_at(window, axis) - 1)
    stride = _at(operation.strides, axis)
    before = 0
    if operation.padding == "same":
        size = below.shape[1 + axis]
        if size is None:
            raise UserError(f"the input of layer {operation.name!r} has no fixed size: set --image_size")
        before = max((-(-size // stride) - 1) * stride + spread + 1 - size, 0) // 2
    moved = span.moved(-before)
    return _Span(moved.low, moved.high + span.stride * spread, span.stride * stride)


def _at(setting: int | tuple[int, int], axis: int) -> int:
    return setting if isinstance(setting, int) else setting[axis]


def _merged(operation: Any, output: Any, inputs: list[Any], below: list[_Field]) -> _Field:
    """Joins the fields of branches; products ignore the global ones."""
    local = [
        field
        for tensor, field in zip(inputs, below, strict=True)
        if field is not None and tensor.shape[1:3] == output.shape[1:3]
    ]
    if len(local) < len(inputs) and type(operation).__name__ != "Multiply":
        raise UserError(
            f"layer {operation.name!r} ({type(operation).__name__}) adds information of the whole image: "
            "choose a --target_layer below it"
        )
    rows, columns = zip(*local, strict=True)
    return _union(operation, rows), _union(operation, columns)


def _union(operation: Any, spans: tuple[_Span, ...]) -> _Span:
    if len({span.stride for span in spans}) > 1:
        raise UserError(
            f"layer {operation.name!r} joins branches of different strides: choose a layer below it"
        )
    return _Span(min(span.low for span in spans), max(span.high for span in spans), spans[0].stride)
