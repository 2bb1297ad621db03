"""What a network's outputs are (`tf_explainer.scores`), as its last activation tells, or a person.

Behind the last activation may stand what changes no value: casts, reshapes, dropout, linear activations.
Without an activation, a layer that computes sums of products gives logits: one, of a sigmoid; several, of a
softmax. Of anything else (ReLU, tanh, a mean of several networks) the graph does not tell what it means.
"""

from __future__ import annotations

from typing import Any

import keras

from tf_explainer import scores
from tf_explainer.config import OutputKind
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph

# By the names of layers and operations alike, in lower case.
_HAND_ON = {
    *("identity", "cast", "reshape", "flatten", "squeeze", "expanddims", "stopgradient"),
    *("dropout", "gaussiandropout", "gaussiannoise", "alphadropout", "activityregularization"),
}
_AFFINE = {
    *("batchnormalization", "rescaling", "normalization", "add", "subtract", "negative", "average"),
    *("globalaveragepooling2d", "averagepooling2d", "mean"),
}
# Affine if the other factor is a number.
_SCALING = {"multiply", "divide", "truedivide"}
_ACTIVATIONS = {
    **dict.fromkeys(("softmax", "softmaxv2"), "softmax"),
    **dict.fromkeys(("sigmoid", "hardsigmoid"), "sigmoid"),
    **dict.fromkeys(("logsoftmax", "logsoftmaxv2"), "softmax_logits"),
}
_WEIGHTED = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def output_kind(output: Any, asked: str = "auto") -> OutputKind:
    """Returns what a network's outputs are.

    Args:
        output: its symbolic output `[B, outputs]`.
        asked: `auto`, or the kind that a person says.

    Raises:
        UserError: the graph does not tell, tells something else than the person, or the outputs say nothing
            (one softmax is always 1).
    """
    told = _told(output)
    if asked != "auto" and told is None:
        kind: Any = asked
    elif told is None:
        raise UserError(
            f"what the performer's outputs mean cannot be told from its last operation ({_name(output)}): "
            "say it by --outputs: softmax or sigmoid (probabilities), softmax_logits or sigmoid_logits"
        )
    elif asked not in _possible(told):
        raise UserError(
            f"--outputs={asked}: the performer's last operation ({_name(output)}) makes "
            f"{' or '.join(sorted(_possible(told) - {'auto'}))}: leave the flag out, or say one of these"
        )
    else:
        kind = told if asked == "auto" else asked
    if output.shape[-1] == 1 and scores.are_exclusive(kind):
        raise UserError(
            "the performer has one output, which a softmax makes 1 for every image: end it in a sigmoid, or "
            "in two outputs" + ("" if asked == "auto" else f", or leave --outputs={asked} out")
        )
    return kind


def logits(output: Any, kind: OutputKind) -> Any:
    """Returns what the last activation is applied to, as a symbolic tensor `[B, outputs]` float32.

    No other activation is touched. Where the last one cannot be taken off (hard sigmoid, a mean of several
    networks), logits are computed from the probabilities.

    Args:
        output: a network's symbolic output.
        kind: of it.
    """
    last = _activation(_last(output))
    if scores.are_logits(kind) or last not in (kind, f"{kind}v2"):
        return scores.logits_of(output, kind)
    below = _without_activation(output)
    flat = below if len(below.shape) == 2 else keras.layers.Flatten()(below)
    return keras.ops.cast(flat, "float32")


def _told(output: Any) -> OutputKind | None:
    last = _last(output)
    name = _activation(last)
    if name in ("tanh", "hardtanh"):
        raise UserError(
            "the performer ends in tanh, whose outputs (-1 to 1) are neither probabilities nor logits: put "
            "keras.layers.Rescaling(0.5, 0.5) behind it and say --outputs=sigmoid"
        )
    if name in ("softmax", "softmaxv2", "logsoftmax", "logsoftmaxv2"):
        _check_axis(last)
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name]  # type: ignore[return-value]
    if not _is_affine(last):
        return None
    return "sigmoid_logits" if output.shape[-1] == 1 else "softmax_logits"


def _possible(told: OutputKind) -> set[str]:
    """What a person may say of outputs that the graph tells of: of logits, whether their classes exclude."""
    if told in ("softmax", "sigmoid"):
        return {"auto", told}
    return {"auto", "softmax_logits", "sigmoid_logits"}


def _last(tensor: Any) -> Any:
    """Returns the tensor that the last operation makes which changes values."""
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        return _last(operation.outputs[0])
    return _last(inputs[0]) if inputs and _hands_on(operation, tensor, inputs) else tensor


def _hands_on(operation: Any, tensor: Any, inputs: list[Any]) -> bool:
    if len(inputs) != 1 or inputs[0].shape[-1] != tensor.shape[-1] or not layer_graph.is_vector(inputs[0]):
        return False
    is_linear = isinstance(operation, keras.layers.Activation) and _name(tensor) == "linear"
    return is_linear or type(operation).__name__.lower() in _HAND_ON


def _name(tensor: Any) -> str:
    return layer_graph.activation(layer_graph.producer(tensor))


def _activation(tensor: Any) -> str:
    # What is a map, not one vector an image, is no score.
    return _name(tensor) if layer_graph.is_vector(tensor) and layer_graph.sources(tensor) else ""


def _check_axis(tensor: Any) -> None:
    operation = layer_graph.producer(tensor)
    of_layer = getattr(operation, "activation", None)
    axis = getattr(operation, "axis", getattr(of_layer, "axis", -1))
    if axis not in (-1, len(tensor.shape) - 1):
        raise UserError(
            f"the performer ends in a softmax over axis {axis}, which is not that of the classes: its scores "
            "of an image depend on the other images; make it axis -1"
        )


def _is_affine(tensor: Any) -> bool:
    """Whether a tensor is sums of products of features, as far as the graph tells."""
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        return _is_affine(operation.outputs[0])
    if isinstance(operation, _WEIGHTED):
        return layer_graph.activation(operation) == "linear"
    name = type(operation).__name__.lower()
    scales = name in _SCALING and len(inputs) == 1
    hands_on = name in _HAND_ON or layer_graph.activation(operation) == "linear"
    return bool(inputs) and (name in _AFFINE or scales or hands_on) and all(map(_is_affine, inputs))


def _without_activation(tensor: Any) -> Any:
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        several = len(inputs) > 1
        below = _without_activation(operation.outputs[0])
        inside = keras.Model(operation.inputs if several else operation.inputs[0], below)
        return inside(inputs if several else inputs[0])
    if _hands_on(operation, tensor, inputs):
        return _without_activation(inputs[0])
    if not isinstance(operation, _WEIGHTED):
        return inputs[0]
    config = operation.get_config()
    linear = type(operation).from_config(
        config | {"activation": "linear", "name": f"{operation.name}_logits"}
    )
    below = linear(inputs[0])
    linear.set_weights(operation.get_weights())
    return below
