"""Whether a copy of a network is still the network: both are shown the same images, and must say the same.

Every way by which a network reaches the chain ends here: a file that is read and unfolded, a backbone with
its weights file, layers that are copied for trunk and head, the SavedModel of an export.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph

_TOLERANCE, _TOLERANCE_OF_HALF_PRECISION = 1e-3, 5e-2
"""Largest difference, as a share of the largest value: other kernels for other batches round otherwise."""


def drawn_images(size: int) -> np.ndarray:
    """Returns one image of fine noise and one of large patches, `[2, S, S, 3]` float32, whole, 0 to 255."""
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (size, size, 3))
    patches = rng.integers(0, 256, (4, 4, 3))
    rows = np.arange(size) * 4 // size
    return np.stack([fine, patches[rows][:, rows]]).astype(np.float32)


def drawn_features(model: keras.Model) -> np.ndarray:
    """Returns what a part of a network might be given, `[2, ...]` float32, never negative."""
    shape = model.inputs[0].shape[1:]
    rng = np.random.default_rng(0)
    return np.stack([rng.uniform(0, scale, shape) for scale in (1, 10)]).astype(np.float32)


def check_steady(model: keras.Model, inputs: Any, what: str) -> None:
    """Refuses a network whose answer to an image depends on chance or on the other images of its batch.

    Args:
        model: of one input and one output.
        inputs: `[2, ...]`, as the model takes them.
        what: names it in the message, such as its file.

    Raises:
        UserError: it does.
    """
    both = scores(model, inputs)
    if not _same(both, scores(model, inputs), model):
        raise UserError(
            f"{what} says something else each time it sees an image: a layer of it draws by chance, also "
            "where it is not trained; save the model without it"
        )
    if not _same(both[:1], scores(model, inputs[:1]), model):
        raise UserError(
            f"what {what} says of an image depends on the other images of its batch: a layer of it takes "
            "means over the batch, also where it is not trained; save the model without it"
        )


def check_same(
    original: keras.Model, copy: keras.Model, inputs: Any, what: str, *, copy_inputs: Any = None
) -> None:
    """Refuses a copy that does not give the outputs of its original.

    Args:
        original: a model of one input and one output.
        copy: functional.
        inputs: `[2, ...]`, as the original takes them.
        what: names the copy in the message.
        copy_inputs: the same as the copy takes them; None: as the original.

    Raises:
        UserError: the outputs differ; the message names the first layer that does.
    """
    copy_inputs = inputs if copy_inputs is None else copy_inputs
    expected, found = scores(original, inputs), scores(copy, copy_inputs)
    if not _same(expected, found, copy):
        raise UserError(_refusal(expected, found, what, _parting(original, copy, inputs, copy_inputs)))


def check_same_scores(expected: np.ndarray, found: np.ndarray, model: keras.Model, what: str) -> None:
    """Refuses what has other outputs than the network that it was made from, and no layers to compare.

    Args:
        expected: `[B, ...]`, the network's.
        found: `[B, ...]`, those of what was made from it, of the same inputs.
        model: the network; how exact its layers are says how exact the outputs must be.
        what: names in the message what was made.

    Raises:
        UserError: the outputs differ.
    """
    if not _same(expected, found, model):
        raise UserError(_refusal(expected, found, what, None))


def _refusal(expected: np.ndarray, found: np.ndarray, what: str, layer: str | None) -> str:
    return (
        f"{what} is not the network any more: on a drawn image it gives {_told(found)} in place of "
        f"{_told(expected)}" + (f"; they part at layer {layer!r}" if layer else "")
    )


def scores(model: Any, inputs: Any) -> np.ndarray:
    """Returns a model's first output, `[B, ...]` float32, in inference.

    Args:
        model: of one input.
        inputs: `[B, ...]`.
    """
    # One image may be asked for by a name, or in a list.
    given = keras.ops.convert_to_tensor(inputs)
    named = (
        keras.tree.map_structure(lambda _: given, model.input) if layer_graph.is_functional(model) else given
    )
    return _array(keras.tree.flatten(model(named, training=False))[0])


def _array(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def _same(expected: np.ndarray, found: np.ndarray, model: Any) -> bool:
    if expected.shape != found.shape:
        return False
    half = any(
        "16" in layer.compute_dtype or getattr(layer, "quantization_mode", None)
        for layer in layer_graph.layers_within(model)
    )
    tolerance = _TOLERANCE_OF_HALF_PRECISION if half else _TOLERANCE
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return np.allclose(expected, found, rtol=0, atol=tolerance * largest, equal_nan=True)


def _parting(original: Any, copy: keras.Model, inputs: Any, copy_inputs: Any) -> str | None:
    """Returns the name of the first layer of both models whose outputs differ."""
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


def _told(scores: np.ndarray) -> str:
    first = ", ".join(f"{value:.4g}" for value in scores[0].ravel()[:4])
    return f"{first}, ..." if scores[0].size > 4 else first
