"""The rule that chooses the target layer and the distilled layers if the user names none.

**Target layer.** A candidate is a feature map that every path from the image to the scores passes through,
with at least 3 x 3 units on a regular grid, each of which sees at least half of the image's side. Sums and
normalised maps are considered only if no candidate is the output of an activation. The rule chooses the
deepest candidate whose units are at most a fourteenth of the image apart (below 224 pixels: 16 pixels, but no
more than an eighth of the image); if all are coarser, the deepest with the smallest distance.

**Distilled layers.** The last two hidden Dense layers that every path passes through, if nothing but dropout
lies between them, else the last one. Without a hidden Dense layer, the lowest vector above the target layer
that is pooled from a map; without such a vector, the scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer import layer_graph
from tf_explainer.performer.rebuilding import dense_weights
from tf_explainer.performer.receptive_field import receptive_field

# Units that see less than half of the image cannot recognise a head; fewer than 3 x 3 units cannot locate it.
_SEEN, _LEAST_UNITS = 0.5, 3
_BY_ACTIVATION = "activation"
_NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)
_SAME_VECTOR = (keras.layers.Dropout, keras.layers.Identity)
_NO_HIDDEN_LAYER = (*_SAME_VECTOR, keras.layers.Activation, keras.layers.Softmax, keras.layers.Flatten)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A map that every path from the image to the scores passes through.

    Attributes:
        layer: name of the map's layer.
        shape: of the map of one image, `(H, W, D)`.
        receptive_field: of the map's units.
        kind: the operation that computes the map: `activation`, `sum` or `normalisation`.
        negative: whether its units can be negative, as far as the graph tells.
    """

    layer: str
    shape: tuple[int, int, int]
    receptive_field: ReceptiveField
    kind: str
    negative: bool


def with_layers(model: keras.Model, config: PerformerConfig) -> PerformerConfig:
    """Fills in the layers that the user has not named.

    Args:
        model: the performer, flat and functional, of fixed input size.
        config: its `target_layer` and `distilled_layers` are filled in if they are empty.

    Raises:
        UserError: the model has no candidate for the target layer.
    """
    target = config.target_layer or target_layer(model)
    return dataclasses.replace(
        config,
        target_layer=target,
        distilled_layers=config.distilled_layers or distilled_layers(model, target),
    )


def target_layer(model: keras.Model) -> str:
    """Returns the name of the target layer that the rule chooses.

    Raises:
        UserError: there is no candidate.
    """
    side = model.inputs[0].shape[1]
    found = [each for each in candidates(model) if _is_suitable(each, side)]
    found = [each for each in found if each.kind == _BY_ACTIVATION] or found
    if not found:
        raise UserError(
            "no layer qualifies as the target layer: none is a local map that everything passes through "
            f"and that sees half of the image of {side} pixels; name one by --target_layer"
        )
    limit = max(coarsest_stride(side), min(each.receptive_field.stride for each in found))
    return [each for each in found if each.receptive_field.stride <= limit][-1].layer


def coarsest_stride(image_size: int) -> float:
    """Returns the largest allowed distance between the units of a target layer, in pixels."""
    return max(image_size / 14, min(16, image_size / 8))


def _is_suitable(candidate: Candidate, image_size: int) -> bool:
    return candidate.receptive_field.size >= _SEEN * image_size and min(candidate.shape[:2]) >= _LEAST_UNITS


def candidates(model: keras.Model) -> list[Candidate]:
    """Returns all maps that could be explained, lowest first.

    Maps whose receptive field is unknown or the whole image are left out.
    """
    found = []
    scores = model.outputs[0]
    names = _names(model)
    for tensor in layer_graph.passages(scores):
        kind = _kind(tensor, scores)
        if kind is None or layer_graph.is_vector(tensor):
            continue
        name = names[id(tensor)]
        try:
            field = receptive_field(model, name)
        except UserError:
            continue
        shape = tuple(tensor.shape[1:])
        found.append(Candidate(name, shape, field, kind, not layer_graph.is_rectified(tensor)))
    return found


def _names(model: keras.Model) -> dict[int, str]:
    return {id(tensor): name for name, tensor in layer_graph.places(model).items()}


def _kind(tensor: Any, scores: Any) -> str | None:
    """Returns the kind of a map that could be explained, see `Candidate`; None for all other tensors."""
    operation = layer_graph.producer(tensor)
    if not layer_graph.is_map(tensor) or isinstance(operation, layer_graph.RESAMPLING):
        return None
    if layer_graph.is_activated(tensor):
        return _BY_ACTIVATION
    if layer_graph.activation_after(tensor, scores) is not None:
        return None
    if isinstance(operation, _NORMALISATIONS):
        return "normalisation"
    return "sum" if isinstance(operation, keras.layers.Add) else None


def distilled_layers(model: keras.Model, target: str) -> tuple[str, ...]:
    """Returns the names of the distilled layers that the rule chooses above a target layer, lowest first."""
    passages = layer_graph.passages(model.outputs[0])
    names = _names(model)
    path = [names[id(tensor)] for tensor in passages]
    above = passages[path.index(target) + 1 :] if target in path else passages
    vectors = [tensor for tensor in above if layer_graph.is_vector(tensor)]
    pooled = [tensor for tensor in vectors if _is_pooled(tensor)]
    layers = _hidden(vectors) or pooled[:1] or vectors[-1:]
    return tuple(names[id(tensor)] for tensor in layers)


def _hidden(vectors: Sequence[Any]) -> list[Any]:
    """Returns the last two hidden Dense layers if one follows the other, else the last one, if any."""
    vectors = list(vectors)
    while vectors and isinstance(layer_graph.producer(vectors[-1]), _NO_HIDDEN_LAYER):
        vectors.pop()
    below = [each for each in vectors[:-1] if not isinstance(layer_graph.producer(each), _SAME_VECTOR)]
    dense = [i for i, each in enumerate(below) if dense_weights.has_weights(layer_graph.producer(each))]
    if not dense:
        return []
    last = dense[-1]
    return below[last - 1 : last + 1] if last - 1 in dense else [below[last]]


def _is_pooled(tensor: Any) -> bool:
    return not isinstance(layer_graph.producer(tensor), keras.layers.Flatten) and all(
        layer_graph.is_map(source) and not layer_graph.is_vector(source)
        for source in layer_graph.sources(tensor)
    )
