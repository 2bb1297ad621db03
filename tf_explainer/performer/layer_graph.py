"""The graph of a functional Keras model: what each tensor is computed from, and where the graph can be cut.

Keras' private attributes (`_keras_history`, `Functional`) are used only in this module.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
from keras.src.models.functional import Functional

from tf_explainer.errors import UserError
from tf_explainer.performer.architectures.local_response_normalization import LocalResponseNormalization

# Names of functions, layers and operations, in lower case, without underscores.
_NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hardsigmoid", "softplus", "softmax", "exponential"}
# Only a small share of their output is negative.
_NEARLY_NON_NEGATIVE = {"silu", "swish", "gelu", "hardsilu", "hardswish", "mish", "leakyrelu"}
_OTHER_ACTIVATIONS = {
    *_NEARLY_NON_NEGATIVE,
    *("elu", "selu", "celu", "prelu"),
    *("tanh", "hardtanh", "softsign", "loglogistic", "logsigmoid", "glu", "squareplus", "sparseplus"),
    *("tanhshrink", "softshrink", "hardshrink", "threshold"),
}
# Layers that compute no new features, but only move, pool or drop those of the layer below.
RESAMPLING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
)
_AVERAGING = (
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
)
# Their outputs are non-negative if their inputs are.
_SIGN_KEEPING = (
    *RESAMPLING,
    keras.layers.Concatenate,
    keras.layers.Add,
    keras.layers.Multiply,
    LocalResponseNormalization,
)
# Layers that may lie between a convolution and its activation.
_BETWEEN = (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.SpatialDropout2D)
_WEIGHTED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
)


def producer(tensor: Any) -> Any:
    """Returns the layer or operation that computes a symbolic tensor."""
    return tensor._keras_history.operation


def sources(tensor: Any) -> list[Any]:
    """Returns the symbolic tensors that a tensor is computed from; none for a model's input."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors


def functional(model: keras.Model) -> keras.Model | None:
    """Returns a functional model of the same layers; None if a model has its own `call`, or no graph yet."""
    if type(model).call not in (Functional.call, keras.Sequential.call):
        return None
    if isinstance(model, Functional):
        return model
    # A sequential model without an input has no graph yet.
    return keras.Model(model.inputs, model.outputs, name=model.name) if model.built and model.inputs else None


def is_functional(model: Any) -> bool:
    """Returns whether a model is functional and its `call` is Keras' own."""
    return isinstance(model, Functional) and type(model).call is Functional.call


def is_plainly_functional(model: keras.Model) -> bool:
    """Returns whether a model is functional, and not of a custom subclass."""
    return type(model) is Functional


def called_on(graph: keras.Model, tensors: Sequence[Any], call: Callable[..., Any]) -> Any:
    """Calls the operations of a functional model in order, and returns its outputs.

    Args:
        graph: the model.
        tensors: its inputs.
        call: computes an operation's outputs, `call(operation, *args, **kwargs)`.
    """
    return graph._run_through_graph(list(tensors), call_fn=call)


def between(lower: Any, upper: Any) -> keras.Model:
    """Returns the model from one symbolic tensor to others that are computed from it; it shares the layers.

    `keras.Model(lower, upper)` confuses its new input with later calls of the layer that computes `lower`.

    Args:
        lower: a tensor that separates `upper` from the model's input, see `separates`.
        upper: a tensor, or several by name; it may belong to a new layer, and `lower` may be among them.
    """
    start = keras.Input(batch_shape=lower.shape, dtype=lower.dtype)
    copies = {id(lower): start}
    below = {id(tensor) for tensor in in_order(lower)}
    for tensor in itertools.chain.from_iterable(map(in_order, keras.tree.flatten(upper))):
        if id(tensor) in below or id(tensor) in copies:
            continue
        operation, node_index, _ = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        args, kwargs = node.arguments.fill_in(copies)
        results = keras.tree.flatten(operation(*args, **kwargs))
        copies |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
    return keras.Model(start, keras.tree.map_structure(lambda tensor: copies[id(tensor)], upper))


def put_first(output: Any) -> None:
    """Puts each layer's calls that lead to a tensor first: `layer.output` is the output of the first call."""
    used: dict[int, tuple[Any, set[int]]] = {}
    for tensor in in_order(output):
        operation, node_index, _ = tensor._keras_history
        used.setdefault(id(operation), (operation, set()))[1].add(node_index)
    for operation, indices in used.values():
        nodes = operation._inbound_nodes
        rest = [index for index in range(len(nodes)) if index not in indices]
        operation._inbound_nodes = [nodes[index] for index in (*sorted(indices), *rest)]
        for index, node in enumerate(operation._inbound_nodes):
            for tensor in node.outputs:
                tensor._keras_history = tensor._keras_history._replace(node_index=index)


def layers_within(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns a model, its layers, and all layers nested in them."""
    return model._flatten_layers()


def places(model: keras.Model) -> dict[str, Any]:
    """Returns all symbolic tensors of a functional model by name, each after the tensors it is computed from.

    A tensor has the name of the layer or operation that computes it. If that is called several times, or has
    several outputs, a number follows in the order of the calls: `relu.1`, `relu.2`.
    """
    ordered: dict[int, Any] = {}
    for output in model.outputs:
        ordered |= {id(tensor): tensor for tensor in in_order(output)}
    by_producer: dict[int, list[Any]] = {}
    for tensor in ordered.values():
        by_producer.setdefault(id(producer(tensor)), []).append(tensor)
    names = {}
    for tensors in by_producer.values():
        tensors.sort(key=lambda tensor: tuple(tensor._keras_history[1:]))
        name = producer(tensors[0]).name
        for number, tensor in enumerate(tensors, start=1):
            names[id(tensor)] = name if len(tensors) == 1 else f"{name}.{number}"
    return {names[key]: tensor for key, tensor in ordered.items()}


def place(model: keras.Model, name: str) -> Any:
    """Returns a symbolic tensor of a functional model by its name, see `places`.

    Raises:
        UserError: no layer has this name, or the layer is called several times.
    """
    found = places(model)
    if name not in found:
        calls = [each for each in found if each.rpartition(".")[0] == name]
        raise UserError(
            f"layer {name!r} is called several times: name one of its calls, {', '.join(calls)}"
            if calls
            else f"the model has no layer {name!r}; it has {', '.join(list(found)[-20:])}"
        )
    return found[name]


def in_order(tensor: Any) -> list[Any]:
    """Returns a tensor and all that it depends on, each after the tensors it is computed from."""
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
    """Returns whether every path from the model's input to `upper` passes through `lower`."""
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


def averages(model: keras.Model) -> bool:
    """Returns whether a functional model only averages maps, channel by channel."""
    return model.output_shape[-1] == model.input_shape[-1] and all(
        isinstance(operation, (keras.layers.InputLayer, *_AVERAGING)) for operation in model.operations
    )


def is_rectified(tensor: Any) -> bool:
    """Returns whether a tensor cannot be negative, as far as the graph alone tells.

    True after a ReLU (or another activation that is never negative), and after pooling, padding, dropout,
    sums, products and concatenations of such tensors.
    """
    return _is_behind(tensor, _NON_NEGATIVE)


def is_nearly_rectified(tensor: Any) -> bool:
    """Returns whether a tensor is hardly ever negative, as after swish or GELU; see `is_rectified`."""
    return _is_behind(tensor, _NON_NEGATIVE | _NEARLY_NON_NEGATIVE)


def is_activated(tensor: Any) -> bool:
    """Returns whether a tensor is the output of any activation, negative or not; see `is_rectified`."""
    return _is_behind(tensor, _NON_NEGATIVE | _OTHER_ACTIVATIONS)


def _is_behind(tensor: Any, activations: Collection[str]) -> bool:
    operation = producer(tensor)
    if isinstance(operation, _SIGN_KEEPING):
        return all(_is_behind(source, activations) for source in sources(tensor))
    return activation(operation) in activations


def activation(operation: Any) -> str:
    """Returns the name of an operation's activation, else of its class, in lower case without underscores."""
    if getattr(operation, "negative_slope", 0):
        return "leakyrelu"
    function = getattr(operation, "activation", None)
    name = getattr(function, "__name__", None) or type(function or operation).__name__
    return name.lower().replace("_", "")


def activation_after(tensor: Any, upper: Any) -> Any | None:
    """Returns the output of a map's activation if nothing else uses the map, else None.

    Args:
        tensor: a map before its activation, such as a convolution's output.
        upper: the model's output.
    """
    consumers = [each for each in in_order(upper) if any(source is tensor for source in sources(each))]
    if len(consumers) != 1:
        return None
    if isinstance(producer(consumers[0]), _BETWEEN):
        return activation_after(consumers[0], upper)
    return consumers[0] if is_activation(producer(consumers[0])) else None


def is_activation(operation: Any) -> bool:
    """Returns whether a layer or operation only applies an activation."""
    known = activation(operation) in _NON_NEGATIVE | _OTHER_ACTIVATIONS
    return known and not isinstance(operation, _WEIGHTED)


def is_vector(tensor: Any) -> bool:
    """Returns whether a tensor is one vector per image: `[B, C]`, or a map of one unit `[B, 1, 1, C]`."""
    return tensor.shape[-1] is not None and tensor.shape[-1] == math.prod(
        side or 0 for side in tensor.shape[1:]
    )


def is_map(tensor: Any) -> bool:
    """Returns whether a tensor is one feature map `[B, H, W, C]`."""
    return getattr(tensor, "shape", None) is not None and len(tensor.shape) == 4


def passages(upper: Any) -> list[Any]:
    """Returns the tensors that every path from the model's input to `upper` passes through.

    Returns:
        The dominators of `upper`, from the input to `upper` itself.
    """
    ordered = in_order(upper)
    indices = {id(tensor): index for index, tensor in enumerate(ordered)}
    # The index of the last tensor that uses each tensor: an earlier tensor used after this one bypasses it.
    last_use = list(range(len(ordered)))
    for index, tensor in enumerate(ordered):
        for source in sources(tensor):
            last_use[indices[id(source)]] = index
    found, reach = [], 0
    for index, tensor in enumerate(ordered):
        if reach <= index:
            found.append(tensor)
        reach = max(reach, last_use[index])
    return found
