"""Unfolds nested models: every layer becomes a part of one flat graph.

The layers are reused, not copied, so that nothing is lost: neither weights nor other state (the statistics of
a normalisation, scales of a quantisation, a vocabulary).
"""

from __future__ import annotations

from typing import Any

import keras

from tf_explainer.performer import layer_graph
from tf_explainer.performer.rebuilding import equivalence


def unfolded(model: keras.Model, image: Any, tensor: Any) -> keras.Model:
    """Returns a flat functional model that consists of a model's own layers.

    Layers whose name is already used get their model's name as a prefix: `left.conv`.

    Args:
        model: functional, sequential, or a class whose `call` only calls layers; with one input and output.
        image: the new model's input.
        tensor: the input of `model`: computed from `image`, or `image` itself.

    Raises:
        ValueError, TypeError: the layers do not take such a tensor.
    """
    owners: dict[int, str] = {}
    output = keras.tree.flatten(_call(model, owners, tensor))[0]
    _name_apart(output, owners)
    layer_graph.put_first(output)
    return keras.Model(image, output, name=model.name)


def with_layer_after(model: keras.Model, kind: type, layer: keras.layers.Layer) -> keras.Model:
    """Returns a copy of a functional model with `layer` after each layer of a class; it shares all layers."""

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        output = operation(*args, **kwargs)
        return layer(output) if isinstance(operation, kind) else output

    output = layer_graph.called_on(model, model.inputs, call)
    return keras.Model(model.inputs, output, name=model.name)


def graph_of(model: keras.Model, tensors: Any) -> keras.Model:
    """Returns the functional model of the layers that a model of a custom class calls.

    Args:
        model: of a custom class.
        tensors: symbolic tensors of the shape and dtype of its inputs.

    Raises:
        Exception: a custom class may raise anything if it gets symbolic inputs.
    """
    inputs = keras.tree.map_structure(lambda tensor: _input_like(tensor, model), tensors)
    return keras.Model(inputs, model.call(inputs), name=model.name)


def _graph(model: keras.Model, tensors: Any) -> keras.Model | None:
    """Returns a model's graph; None if it has none, or if the graph gives other outputs than the model."""
    graph = layer_graph.functional(model)
    if graph is not None:
        return graph
    try:
        graph = graph_of(model, tensors)
        equivalence.check_same(model, graph, equivalence.drawn_features(graph), model.name)
    except Exception:  # Such a class may raise anything; it is then not unfolded.
        return None
    return graph


def _input_like(tensor: Any, model: keras.Model) -> Any:
    # Keras casts the floating-point inputs of a custom class to its compute dtype.
    casts = model.autocast and keras.backend.is_float_dtype(tensor.dtype)
    return keras.Input(batch_shape=tensor.shape, dtype=model.compute_dtype if casts else tensor.dtype)


def _call(model: keras.Model, owners: dict[int, str], *args: Any, **kwargs: Any) -> Any:
    """Calls a model's layers one by one, or the model itself if it has no graph."""
    graph = _graph(model, args[0]) if len(args) == 1 else None
    if graph is None:
        return model(*args, **kwargs)

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        owners.setdefault(id(operation), model.name)
        is_model = isinstance(operation, keras.Model)
        return _call(operation, owners, *args, **kwargs) if is_model else operation(*args, **kwargs)

    inputs = [_as_declared(each, own) for each, own in zip(_flat(args[0], graph), graph.inputs, strict=True)]
    return layer_graph.called_on(graph, inputs, call)


def _flat(inputs: Any, graph: keras.Model) -> list[Any]:
    names = [layer_graph.producer(own).name for own in graph.inputs]
    if isinstance(inputs, dict) and set(inputs) == set(names):
        return [inputs[name] for name in names]
    return keras.tree.flatten(inputs)


def _as_declared(tensor: Any, own: Any) -> Any:
    """Casts a tensor to the dtype of a model's input, as Keras does when it calls the model."""
    return tensor if tensor.dtype == own.dtype else keras.ops.cast(tensor, own.dtype)


def _name_apart(output: Any, owners: dict[int, str]) -> None:
    """Prefixes the names of layers that have the name of an earlier layer by that of their model."""
    operations = {id(each): each for each in map(layer_graph.producer, layer_graph.in_order(output))}
    taken = {each.name for each in operations.values()}
    seen: set[str] = set()
    for key in [
        *(key for key in owners if key in operations),
        *(key for key in operations if key not in owners),
    ]:
        operation = operations[key]
        if operation.name in seen:
            prefix, number = f"{owners.get(key, 'model')}.{operation.name}", 1
            name = prefix
            while name in taken:
                number += 1
                name = f"{prefix}.{number}"
            operation.name = name
            taken.add(name)
        seen.add(operation.name)
