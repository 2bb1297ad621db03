"""The graph of a functional Keras model: what feeds what, and where it can be cut in two.

What Keras keeps private of its models (`_keras_history`, `Functional`) is used here and nowhere else.
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

# By the names of functions, layers and operations alike, without underscores.
_NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hardsigmoid", "softplus", "softmax", "exponential"}
# Little of what these make is below zero.
_NEARLY_NON_NEGATIVE = {"silu", "swish", "gelu", "hardsilu", "hardswish", "mish", "leakyrelu"}
_OTHER_ACTIVATIONS = {
    *_NEARLY_NON_NEGATIVE,
    *("elu", "selu", "celu", "prelu"),
    *("tanh", "hardtanh", "softsign", "loglogistic", "logsigmoid", "glu", "squareplus", "sparseplus"),
    *("tanhshrink", "softshrink", "hardshrink", "threshold"),
}
# Layers that make no features of their own, but hand on those below them in other places.
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
# Of non-negative inputs these make non-negative outputs.
_SIGN_KEEPING = (
    *RESAMPLING,
    keras.layers.Concatenate,
    keras.layers.Add,
    keras.layers.Multiply,
    LocalResponseNormalization,
)
# What may stand between a convolution and the activation that is its own.
_BETWEEN = (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.SpatialDropout2D)
_WEIGHTED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
)


def producer(tensor: Any) -> Any:
    """Returns the layer or operation that made a symbolic tensor."""
    return tensor._keras_history.operation


def sources(tensor: Any) -> list[Any]:
    """Returns the symbolic tensors that a tensor was made from; none for a model's input."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors


def functional(model: keras.Model) -> keras.Model | None:
    """Returns a model as a functional one of the same layers; None if it is no graph, or more."""
    if type(model).call not in (Functional.call, keras.Sequential.call):
        return None
    if isinstance(model, Functional):
        return model
    # A sequential model without an input has no graph yet.
    return keras.Model(model.inputs, model.outputs, name=model.name) if model.built and model.inputs else None


def is_functional(model: Any) -> bool:
    """Returns whether a model is a functional one that is its graph, and no more."""
    return isinstance(model, Functional) and type(model).call is Functional.call


def is_plainly_functional(model: keras.Model) -> bool:
    """Returns whether a model is functional, and no class of someone's own."""
    return type(model) is Functional


def called_on(graph: keras.Model, tensors: Sequence[Any], call: Callable[..., Any]) -> Any:
    """Runs through a functional model's graph.

    Args:
        graph: the model.
        tensors: what takes the place of its inputs.
        call: `call(operation, *args, **kwargs)` gives what takes the place of an operation's outputs.
    """
    return graph._run_through_graph(list(tensors), call_fn=call)


def between(lower: Any, upper: Any) -> keras.Model:
    """Returns the model from one symbolic tensor to others that are computed from it; it shares the layers.

    `keras.Model(lower, upper)` takes later calls of the layer that made `lower` for its new input.

    Args:
        lower: a tensor through which all passes that `upper` knows of the model's input.
        upper: another, or a new layer's output, or several by name; `lower` itself may be among them.
    """
    start = keras.Input(batch_shape=lower.shape, dtype=lower.dtype)
    made = {id(lower): start}
    below = {id(tensor) for tensor in in_order(lower)}
    for tensor in itertools.chain.from_iterable(map(in_order, keras.tree.flatten(upper))):
        if id(tensor) in below or id(tensor) in made:
            continue
        operation, node_index, _ = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        args, kwargs = node.arguments.fill_in(made)
        results = keras.tree.flatten(operation(*args, **kwargs))
        made |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
    return keras.Model(start, keras.tree.map_structure(lambda tensor: made[id(tensor)], upper))


def put_first(output: Any) -> None:
    """Makes the calls that lead to a tensor the first of their layers, which `layer.output` gives."""
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
    """Returns a model, its layers, and theirs, however deep."""
    return model._flatten_layers()


def places(model: keras.Model) -> dict[str, Any]:
    """Returns all symbolic tensors of a functional model by their names, sources before what they feed.

    A tensor is called as the layer or operation that made it. Where that is called more than once, or makes
    more than one tensor, each has its number: `relu.1`, `relu.2`, in the order of the calls.
    """
    ordered: dict[int, Any] = {}
    for output in model.outputs:
        ordered |= {id(tensor): tensor for tensor in in_order(output)}
    made: dict[int, list[Any]] = {}
    for tensor in ordered.values():
        made.setdefault(id(producer(tensor)), []).append(tensor)
    names = {}
    for tensors in made.values():
        tensors.sort(key=lambda tensor: tuple(tensor._keras_history[1:]))
        name = producer(tensors[0]).name
        for number, tensor in enumerate(tensors, start=1):
            names[id(tensor)] = name if len(tensors) == 1 else f"{name}.{number}"
    return {names[key]: tensor for key, tensor in ordered.items()}


def place(model: keras.Model, name: str) -> Any:
    """Returns one of the `places` by its name.

    Raises:
        UserError: there is none of this name, or several calls of a layer of it.
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


def averages(model: keras.Model) -> bool:
    """Returns whether a functional model takes means of maps, channel by channel, and does nothing else."""
    return model.output_shape[-1] == model.input_shape[-1] and all(
        isinstance(operation, (keras.layers.InputLayer, *_AVERAGING)) for operation in model.operations
    )


def is_rectified(tensor: Any) -> bool:
    """Returns whether a tensor cannot be negative, as far as the graph alone tells.

    True behind a ReLU (or another activation that is never negative), and behind pooling, padding, dropout,
    sums, products and concatenations of such tensors.
    """
    return _is_behind(tensor, _NON_NEGATIVE)


def is_nearly_rectified(tensor: Any) -> bool:
    """Returns whether little of a tensor is below zero, as behind swish or GELU; see `is_rectified`."""
    return _is_behind(tensor, _NON_NEGATIVE | _NEARLY_NON_NEGATIVE)


def is_activated(tensor: Any) -> bool:
    """Returns whether a tensor is what an activation, negative or not, has made; see `is_rectified`."""
    return _is_behind(tensor, _NON_NEGATIVE | _OTHER_ACTIVATIONS)


def _is_behind(tensor: Any, activations: Collection[str]) -> bool:
    operation = producer(tensor)
    if isinstance(operation, _SIGN_KEEPING):
        return all(_is_behind(source, activations) for source in sources(tensor))
    return activation(operation) in activations


def activation(operation: Any) -> str:
    """Returns what a layer or operation applies, in lower case without underscores; else its class's name."""
    if getattr(operation, "negative_slope", 0):
        return "leakyrelu"
    function = getattr(operation, "activation", None)
    name = getattr(function, "__name__", None) or type(function or operation).__name__
    return name.lower().replace("_", "")


def activation_after(tensor: Any, upper: Any) -> Any | None:
    """Returns what an activation makes of a map, if that is all that becomes of the map.

    Args:
        tensor: a map that no activation has made, such as a convolution's.
        upper: what is computed from it in the end.
    """
    consumers = [each for each in in_order(upper) if any(source is tensor for source in sources(each))]
    if len(consumers) != 1:
        return None
    if isinstance(producer(consumers[0]), _BETWEEN):
        return activation_after(consumers[0], upper)
    return consumers[0] if is_activation(producer(consumers[0])) else None


def is_activation(operation: Any) -> bool:
    """Returns whether a layer or operation is an activation, and nothing else."""
    known = activation(operation) in _NON_NEGATIVE | _OTHER_ACTIVATIONS
    return known and not isinstance(operation, _WEIGHTED)


def is_vector(tensor: Any) -> bool:
    """Returns whether a tensor is one vector for each image, if only as a map of one place `[B, 1, 1, C]`."""
    return tensor.shape[-1] is not None and tensor.shape[-1] == math.prod(
        side or 0 for side in tensor.shape[1:]
    )


def is_map(tensor: Any) -> bool:
    """Returns whether a tensor is one feature map `[B, H, W, C]`."""
    return getattr(tensor, "shape", None) is not None and len(tensor.shape) == 4


def passages(upper: Any) -> list[Any]:
    """Returns the tensors that everything `upper` knows of the model's input passes through.

    Returns:
        From the input to `upper` itself, each computed from the one before (the dominators of `upper`).
    """
    ordered = in_order(upper)
    place = {id(tensor): index for index, tensor in enumerate(ordered)}
    # The last place that is fed by one place or by any before it: what reaches beyond a tensor bypasses it.
    furthest = list(range(len(ordered)))
    for index, tensor in enumerate(ordered):
        for source in sources(tensor):
            furthest[place[id(source)]] = max(furthest[place[id(source)]], index)
    found, reach = [], 0
    for index, tensor in enumerate(ordered):
        if reach <= index:
            found.append(tensor)
        reach = max(reach, furthest[index])
    return found
