"""Checks that a copy of a network gives the same outputs as the network, on drawn images.

Every conversion ends with this check: a file that is read and unfolded, a backbone with its weights file,
layers that are copied for trunk and head, and the SavedModel of an export.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph

_TOLERANCE, _TOLERANCE_OF_HALF_PRECISION = 1e-3, 5e-2
"""Largest difference, as a share of the largest value: kernels for other batch sizes round differently."""


def drawn_images(size: int) -> np.ndarray:
    """Returns an image of fine noise and one of large patches, `[2, S, S, 3]` float32, integers 0 to 255."""
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (size, size, 3))
    patches = rng.integers(0, 256, (4, 4, 3))
    rows = np.arange(size) * 4 // size
    return np.stack([fine, patches[rows][:, rows]]).astype(np.float32)


def drawn_features(model: keras.Model) -> np.ndarray:
    """Returns random non-negative inputs for a part of a network, `[2, ...]` float32.

    If the input looks like images, some values go up to 255: smaller ones hardly change the scores.
    """
    shape = model.inputs[0].shape[1:]
    takes_images = len(shape) == 3 and shape[-1] in (1, 3)
    rng = np.random.default_rng(0)
    scales = (1, 255 if takes_images else 10)
    return np.stack([rng.uniform(0, scale, shape) for scale in scales]).astype(np.float32)


def check_steady(model: keras.Model, inputs: Any, what: str) -> None:
    """Refuses a network whose scores for an image are random or depend on the other images of the batch.

    Args:
        model: has one input and one output.
        inputs: `[2, ...]`, the model's input.
        what: how the message calls the model, such as its file.

    Raises:
        UserError: the scores are random, or depend on the batch.
    """
    both = scores(model, inputs)
    if not _same(both, scores(model, inputs), model):
        raise UserError(
            f"{what} gives an image different scores each time: one of its layers is random, also outside of "
            "training; save the model without this layer"
        )
    if not _same(both[:1], scores(model, inputs[:1]), model):
        raise UserError(
            f"the scores that {what} gives an image depend on the other images of its batch: one of its "
            "layers uses statistics of the batch, also outside of training; save the model without this layer"
        )


def check_same(
    original: keras.Model, copy: keras.Model, inputs: Any, what: str, *, copy_inputs: Any = None
) -> None:
    """Refuses a copy whose outputs differ from those of the original.

    Args:
        original: a model with one input and one output.
        copy: functional.
        inputs: `[2, ...]`, the original's input.
        what: how the message calls the copy.
        copy_inputs: the copy's input for the same images; None: `inputs`.

    Raises:
        UserError: the outputs differ; the message names the first layer whose outputs do.
    """
    copy_inputs = inputs if copy_inputs is None else copy_inputs
    expected, found = scores(original, inputs), scores(copy, copy_inputs)
    if not _same(expected, found, copy):
        layer = _first_different_layer(original, copy, inputs, copy_inputs)
        raise UserError(_refusal(expected, found, what, layer))


def check_same_scores(expected: np.ndarray, found: np.ndarray, model: keras.Model, what: str) -> None:
    """Refuses a conversion of a network, such as a SavedModel, by its outputs alone.

    Args:
        expected: `[B, ...]`, outputs of the network.
        found: `[B, ...]`, outputs of the conversion for the same inputs.
        model: the network; the tolerance depends on the precision of its layers.
        what: how the message calls the conversion.

    Raises:
        UserError: the outputs differ.
    """
    if not _same(expected, found, model):
        raise UserError(_refusal(expected, found, what, None))


def _refusal(expected: np.ndarray, found: np.ndarray, what: str, layer: str | None) -> str:
    return (
        f"{what} is not the network any more: on a drawn image it gives {_listed(found)} instead of "
        f"{_listed(expected)}" + (f"; the first layer that differs is {layer!r}" if layer else "")
    )


def scores(model: Any, inputs: Any) -> np.ndarray:
    """Returns a model's first output, `[B, ...]` float32, in inference.

    Args:
        model: has one input.
        inputs: `[B, ...]`.
    """
    inputs = keras.ops.convert_to_tensor(inputs)
    if layer_graph.is_functional(model):  # Its one input may be in a list or a dictionary.
        tensor = inputs
        inputs = keras.tree.map_structure(lambda _: tensor, model.input)
    output = keras.tree.flatten(model(inputs, training=False))[0]
    return keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))


def _same(expected: np.ndarray, found: np.ndarray, model: Any) -> bool:
    if expected.shape != found.shape:
        return False
    is_half_precision = any(
        "16" in layer.compute_dtype or getattr(layer, "quantization_mode", None)
        for layer in layer_graph.layers_within(model)
    )
    tolerance = _TOLERANCE_OF_HALF_PRECISION if is_half_precision else _TOLERANCE
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return np.allclose(expected, found, rtol=0, atol=tolerance * largest, equal_nan=True)


def _first_different_layer(original: Any, copy: keras.Model, inputs: Any, copy_inputs: Any) -> str | None:
    """Returns the name of the first common layer of both models whose outputs differ, if any."""
    graph = layer_graph.functional(original)
    if graph is None:
        return None
    ours, theirs = layer_graph.places(copy), layer_graph.places(graph)
    common = [name for name in ours if name in theirs and layer_graph.sources(ours[name])]
    for name in common:
        found = scores(keras.Model(copy.inputs[0], ours[name]), copy_inputs)
        if not _same(scores(keras.Model(graph.inputs[0], theirs[name]), inputs), found, copy):
            return name
    return None


def _listed(scores: np.ndarray) -> str:
    first = ", ".join(f"{value:.4g}" for value in scores[0].ravel()[:4])
    return f"{first}, ..." if scores[0].size > 4 else first
