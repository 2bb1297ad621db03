"""Frozen copies of models, with their own variables."""

from __future__ import annotations

import keras

from tf_explainer.errors import UserError, first_line
from tf_explainer.performer import layer_graph
from tf_explainer.performer.rebuilding import equivalence


def frozen_copy(model: keras.Model, name: str, what: str) -> keras.Model:
    """Copies a functional model, and makes the copy untrainable.

    Variables are created in the caller's scope.

    Args:
        model: has one input and one output.
        name: of the copy.
        what: how messages call the copy.

    Raises:
        UserError: a layer cannot be copied, or the copy computes something else.
    """
    try:
        copy = keras.models.clone_model(model, clone_function=_copied)
        copy.set_weights(model.get_weights())
    except Exception as error:  # Custom layers may raise anything.
        raise UserError(f"{what} cannot be made: {first_line(error)}") from error
    for layer in layer_graph.layers_within(copy):
        # Normalization computes with values that it derives from its weights.
        if layer.variables and hasattr(layer, "finalize_state"):
            layer.finalize_state()
    equivalence.check_same(model, copy, equivalence.drawn_features(model), what)
    copy.name = name
    copy.trainable = False
    return copy


def _copied(layer: keras.layers.Layer) -> keras.layers.Layer:
    # Keras cannot copy a Lambda layer; it has no variables, so it can be shared.
    return layer if isinstance(layer, keras.layers.Lambda) else type(layer).from_config(layer.get_config())
