"""A model without models inside it: every layer is called by itself, so that each has a place in one graph.

The layers stay what they are. Nothing is copied, so nothing can be lost on the way: no weights, and none of
what layers keep beside them (the statistics of a normalisation, scales of a quantisation, a vocabulary).
"""

from __future__ import annotations

from typing import Any

import keras

from tf_explainer.performer import layer_graph
from tf_explainer.performer.rebuilding import equivalence


def unfolded(model: keras.Model, image: Any, tensor: Any) -> keras.Model:
    """Returns a flat functional model of a model's own layers.

    Layers whose name is taken get that of their model in front: `left.conv`.

    Args:
        model: of one input and one output; functional, sequential, or a class whose `call` only calls layers.
        image: the new model's input.
        tensor: computed from it, or itself: what the model is called on.

    Raises:
        ValueError, TypeError: the layers do not take such a tensor.
    """
    owners: dict[int, str] = {}
    output = keras.tree.flatten(_call(model, owners, tensor))[0]
    _name_apart(output, owners)
    layer_graph.put_first(output)
    return keras.Model(image, output, name=model.name)


def with_layer_after(model: keras.Model, kind: type, layer: keras.layers.Layer) -> keras.Model:
    """Returns a functional model with a layer after each of its layers of a kind; it shares all others."""

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        called = operation(*args, **kwargs)
        return layer(called) if isinstance(operation, kind) else called

    output = layer_graph.called_on(model, model.inputs, call)
    return keras.Model(model.inputs, output, name=model.name)


def graph_of(model: keras.Model, tensors: Any) -> keras.Model:
    """Returns a model as a functional one, which shares its layers.

    Args:
        model: functional, sequential, or a class of its own.
        tensors: what such a class is called on, to see which layers it calls.

    Raises:
        Exception: whatever a class of someone's own raises where it is given no numbers.
    """
    graph = layer_graph.functional(model)
    if graph is None:
        inputs = keras.tree.map_structure(lambda tensor: _input_like(tensor, model), tensors)
        graph = keras.Model(inputs, model.call(inputs), name=model.name)
    return graph


def _graph_of_class(model: keras.Model, tensors: Any) -> keras.Model | None:
    """Returns the graph of a class of someone's own; None where there is none, or it does something else."""
    try:
        graph = graph_of(model, tensors)
        equivalence.check_same(model, graph, equivalence.drawn_features(graph), model.name)
    except Exception:  # Whatever such a class raises: it stays whole.
        return None
    return graph


def _input_like(tensor: Any, model: keras.Model) -> Any:
    # Keras hands floats to a class of one's own in the type that it computes in.
    casts = model.autocast and keras.backend.is_float_dtype(tensor.dtype)
    return keras.Input(batch_shape=tensor.shape, dtype=model.compute_dtype if casts else tensor.dtype)


def _call(model: keras.Model, owners: dict[int, str], *args: Any, **kwargs: Any) -> Any:
    """Calls a model's layers one by one; the model itself, where it has no graph."""
    if len(args) != 1:
        return model(*args, **kwargs)
    graph = layer_graph.functional(model)
    if graph is None:
        graph = _graph_of_class(model, args[0])
    if graph is None:
        return model(*args, **kwargs)

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        owners.setdefault(id(operation), model.name)
        is_model = isinstance(operation, keras.Model)
        return _call(operation, owners, *args, **kwargs) if is_model else operation(*args, **kwargs)

    given = [_as_declared(each, own) for each, own in zip(_flat(args[0], graph), graph.inputs, strict=True)]
    return layer_graph.called_on(graph, given, call)


def _flat(inputs: Any, graph: keras.Model) -> list[Any]:
    names = [layer_graph.producer(own).name for own in graph.inputs]
    if isinstance(inputs, dict) and set(inputs) == set(names):
        return [inputs[name] for name in names]
    return keras.tree.flatten(inputs)


def _as_declared(tensor: Any, own: Any) -> Any:
    """Gives a tensor the type that a model's input declares, as Keras does where it calls the model."""
    return tensor if tensor.dtype == own.dtype else keras.ops.cast(tensor, own.dtype)


def _name_apart(output: Any, owners: dict[int, str]) -> None:
    """Puts the name of their model before layers whose name an earlier one has."""
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
