"""The graph of a functional Keras model: what feeds what, and where it can be cut in two.

What Keras keeps private of its graphs (`_keras_history`, `_run_through_graph`) is used here and nowhere else.
"""

from __future__ import annotations

from typing import Any

import keras

_NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "softmax", "exponential"}
# Of non-negative inputs these make non-negative outputs.
_SIGN_KEEPING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Concatenate,
    keras.layers.Add,
    keras.layers.Multiply,
)


def producer(tensor: Any) -> Any:
    """Returns the layer or operation that made a symbolic tensor."""
    return tensor._keras_history.operation


def sources(tensor: Any) -> list[Any]:
    """Returns the symbolic tensors that a tensor was made from; none for a model's input."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors


def unfolded(model: keras.Model, tensor: Any) -> Any:
    """Calls a model's own layers, and those of the models inside it, one by one on a tensor.

    Args:
        model: a functional or sequential model of one input and one output.
        tensor: the symbolic input.

    Returns:
        The symbolic output; no model is nested in the graph that leads to it.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return unfolded(layer, args[0]) if isinstance(layer, keras.Model) else layer(*args, **kwargs)

    functional = keras.Model(model.inputs[0], model.outputs[0])
    return functional._run_through_graph(tensor, call_fn=call)


def in_order(tensor: Any) -> list[Any]:
    """Returns all tensors that a tensor depends on, and itself: sources before what they feed."""
    ordered: dict[int, Any] = {}
    pending = [tensor]
    while pending:
        top = pending[-1]
        missing = [source for source in sources(top) if id(source) not in ordered]
        if missing and id(top) not in ordered:
            pending.extend(missing)
        else:
            ordered.setdefault(id(pending.pop()), top)
    return list(ordered.values())


def depends_on(upper: Any, lower: Any) -> bool:
    """Returns whether `upper` is computed from `lower` (a tensor depends on itself)."""
    return any(tensor is lower for tensor in in_order(upper))


def separates(lower: Any, upper: Any) -> bool:
    """Returns whether everything that `upper` knows of the model's input passes through `lower`."""
    seen, pending = set(), [upper]
    while pending:
        tensor = pending.pop()
        if tensor is lower or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if not sources(tensor):
            return False
        pending.extend(sources(tensor))
    return True


def is_rectified(tensor: Any) -> bool:
    """Returns whether a tensor cannot be negative, as far as the graph alone tells.

    True behind a ReLU (or another activation that is never negative), and behind pooling, padding, dropout,
    sums, products and concatenations of such tensors.
    """
    operation = producer(tensor)
    if isinstance(operation, _SIGN_KEEPING):
        return all(is_rectified(source) for source in sources(tensor))
    if getattr(operation, "negative_slope", 0):
        return False
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None) or type(operation).__name__.lower()
    return name in _NON_NEGATIVE


def first_rectified_after(model: keras.Model, tensor: Any) -> str | None:
    """Returns the name of the lowest layer above a tensor whose map, of the same size, cannot be negative."""
    for layer in model.layers:
        output = layer.output
        if output is tensor or not is_map(output) or tuple(output.shape[1:3]) != tuple(tensor.shape[1:3]):
            continue
        if is_rectified(output) and depends_on(output, tensor):
            return layer.name
    return None


def is_map(tensor: Any) -> bool:
    """Returns whether a tensor is one feature map `[B, H, W, C]`."""
    return getattr(tensor, "shape", None) is not None and len(tensor.shape) == 4


def cut_points(model: keras.Model, upper: Any) -> list[str]:
    """Returns the layers that can be explained below `upper`: rectified maps that all passes through."""
    return [
        layer.name
        for layer in model.layers
        if is_map(layer.output)
        and layer.output is not upper
        and is_rectified(layer.output)
        and depends_on(upper, layer.output)
        and separates(layer.output, upper)
    ]
