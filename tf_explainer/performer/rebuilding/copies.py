"""Copies of layers, with all that they know, in variables of their own."""

from __future__ import annotations

import keras

from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph
from tf_explainer.performer.rebuilding import equivalence


def frozen_copy(model: keras.Model, name: str, what: str) -> keras.Model:
    """Copies a functional model into one that is not trained.

    Variables are created in the scope in which this is called.

    Args:
        model: of one input and one output.
        name: of the copy.
        what: names it in messages.

    Raises:
        UserError: a layer cannot be copied, or the copy computes something else.
    """
    try:
        copy = keras.models.clone_model(model, clone_function=_copied)
        copy.set_weights(model.get_weights())
    except Exception as error:  # Whatever layers of someone's own raise.
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{what} cannot be copied: {reason}") from error
    for layer in layer_graph.layers_within(copy):
        # Normalization computes with what it makes of its weights, not with these.
        if layer.variables and hasattr(layer, "finalize_state"):
            layer.finalize_state()
    equivalence.check_same(model, copy, equivalence.drawn_features(model), what)
    copy.name = name
    copy.trainable = False
    return copy


def _copied(layer: keras.layers.Layer) -> keras.layers.Layer:
    # Keras makes no second layer of a function; it has no variables, so that it can be shared.
    return layer if isinstance(layer, keras.layers.Lambda) else type(layer).from_config(layer.get_config())
