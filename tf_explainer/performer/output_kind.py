"""The kind of a network's outputs (`tf_explainer.scores`): from its last activation, or set by the user.

The last activation may be followed by operations that change no value: casts, reshapes, dropout, linear
activations. Without an activation, a layer that computes sums of products returns logits: one is the logit of
a sigmoid, several are those of a softmax. For anything else (ReLU, a mean of several networks) the graph does
not determine the kind, and tanh is refused.
"""

from __future__ import annotations

from typing import Any

import keras

from tf_explainer import scores
from tf_explainer.config import OutputKind
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph

# Names of layers and operations, in lower case.
_VALUE_KEEPING = {
    *("identity", "cast", "reshape", "flatten", "squeeze", "expanddims", "stopgradient"),
    *("dropout", "gaussiandropout", "gaussiannoise", "alphadropout", "activityregularization"),
}
_AFFINE = {
    *("batchnormalization", "rescaling", "normalization", "add", "subtract", "negative", "average"),
    *("globalaveragepooling2d", "averagepooling2d", "mean"),
}
# Affine if the second factor is a number.
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
    """Returns the kind of a network's outputs.

    Args:
        output: its symbolic output `[B, outputs]`.
        asked: the value of `--outputs`: `auto`, or a kind.

    Raises:
        UserError: the kind is unknown, the graph contradicts `asked`, or the one output is a softmax (always
            1).
    """
    found = _found(output)
    kind: Any = found if asked == "auto" else asked
    if kind is None:
        raise UserError(
            f"the performer's last operation ({_name(output)}) does not tell the kind of its outputs: "
            "set --outputs to softmax or sigmoid (probabilities), softmax_logits or sigmoid_logits"
        )
    if found is not None and kind not in _possible(found):
        raise UserError(
            f"--outputs={asked}: the performer's last operation ({_name(output)}) returns "
            f"{' or '.join(_possible(found))}: leave the flag out, or set it to one of these"
        )
    if output.shape[-1] == 1 and scores.are_exclusive(kind):
        raise UserError(
            "the performer has one output, which a softmax makes 1 for every image: end it in a sigmoid, or "
            "in two outputs" + ("" if asked == "auto" else f", or leave --outputs={asked} out")
        )
    return kind


def logits(output: Any, kind: OutputKind) -> Any:
    """Returns the input of the last activation, as a symbolic tensor `[B, outputs]` float32.

    If the last activation cannot be removed (hard sigmoid, a mean of several networks), logits are computed
    from the probabilities.

    Args:
        output: a network's symbolic output.
        kind: its kind, from `output_kind`.
    """
    last = _activation(_last(output))
    if scores.are_logits(kind) or last not in (kind, f"{kind}v2"):
        return scores.logits_of(output, kind)
    below = _without_activation(output)
    flat = below if len(below.shape) == 2 else keras.layers.Flatten()(below)
    return keras.ops.cast(flat, "float32")


def _found(output: Any) -> OutputKind | None:
    """Returns the kind that the graph determines, else None."""
    last = _last(output)
    name = _activation(last)
    if name in ("tanh", "hardtanh"):
        raise UserError(
            "the performer ends in tanh, whose outputs (-1 to 1) are neither probabilities nor logits: put "
            "keras.layers.Rescaling(0.5, 0.5) after it and set --outputs=sigmoid"
        )
    if name in ("softmax", "softmaxv2", "logsoftmax", "logsoftmaxv2"):
        _check_axis(last)
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name]  # type: ignore[return-value]
    if not _is_affine(last):
        return None
    return "sigmoid_logits" if output.shape[-1] == 1 else "softmax_logits"


def _possible(found: OutputKind) -> tuple[str, ...]:
    """Returns the kinds that `--outputs` may name: logits may be those of a softmax or of sigmoids."""
    return ("sigmoid_logits", "softmax_logits") if scores.are_logits(found) else (found,)


def _last(tensor: Any) -> Any:
    """Returns the output of the last operation that changes values."""
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        return _last(operation.outputs[0])
    return _last(inputs[0]) if _keeps_values(operation, tensor, inputs) else tensor


def _keeps_values(operation: Any, tensor: Any, inputs: list[Any]) -> bool:
    if len(inputs) != 1 or inputs[0].shape[-1] != tensor.shape[-1] or not layer_graph.is_vector(inputs[0]):
        return False
    is_linear = isinstance(operation, keras.layers.Activation) and _name(tensor) == "linear"
    return is_linear or type(operation).__name__.lower() in _VALUE_KEEPING


def _name(tensor: Any) -> str:
    return layer_graph.activation(layer_graph.producer(tensor))


def _activation(tensor: Any) -> str:
    # A map is no score.
    return _name(tensor) if layer_graph.is_vector(tensor) and layer_graph.sources(tensor) else ""


def _check_axis(tensor: Any) -> None:
    operation = layer_graph.producer(tensor)
    layer_activation = getattr(operation, "activation", None)
    axis = getattr(operation, "axis", getattr(layer_activation, "axis", -1))
    if axis not in (-1, len(tensor.shape) - 1):
        raise UserError(
            f"the performer ends in a softmax over axis {axis}, which is not the axis of the classes: the "
            "scores of an image depend on the other images; change it to axis -1"
        )


def _is_affine(tensor: Any) -> bool:
    """Returns whether a tensor holds sums of products of features, as far as the graph tells."""
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        return _is_affine(operation.outputs[0])
    if isinstance(operation, _WEIGHTED):
        return layer_graph.activation(operation) == "linear"
    name = type(operation).__name__.lower()
    scales = name in _SCALING and len(inputs) == 1
    keeps = name in _VALUE_KEEPING or layer_graph.activation(operation) == "linear"
    return bool(inputs) and (name in _AFFINE or scales or keeps) and all(map(_is_affine, inputs))


def _without_activation(tensor: Any) -> Any:
    operation, inputs = layer_graph.producer(tensor), layer_graph.sources(tensor)
    if isinstance(operation, keras.Model):
        several = len(inputs) > 1
        below = _without_activation(operation.outputs[0])
        inside = keras.Model(operation.inputs if several else operation.inputs[0], below)
        return inside(inputs if several else inputs[0])
    if _keeps_values(operation, tensor, inputs):
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
