"""Which layers are explained where nobody names them: the target layer and the distilled layers, by a rule.

**Target layer.** Candidates are the feature maps that all of the scores' knowledge of the image passes
through, that have at least 3 x 3 units on a regular grid, and whose units see at least half of the image's
side. What an activation has made goes before sums and normalised maps: those are taken only where there is
none of the former. Of these the deepest is taken whose units stand at most a fourteenth of the image apart
(below 224 pixels: 16 pixels, but no more than an eighth of the image); where all are coarser, the deepest of
the finest.

**Distilled layers.** The two last hidden Dense layers that everything passes through, if only dropout stands
between them, else the last one; without a hidden Dense layer, the lowest vector above the target that is
pooled from a map; without that, the scores.
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

# Half of the image: what sees less cannot tell a head. At least 3 x 3 units: a peak has a place.
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
    """A map that everything passes through.

    Attributes:
        layer: its name.
        shape: of the map of one image, `(H, W, D)`.
        receptive_field: of its units.
        kind: what made it: `activation`, `sum` or `normalisation`.
        negative: whether its units can be negative, as far as the graph tells.
    """

    layer: str
    shape: tuple[int, int, int]
    receptive_field: ReceptiveField
    kind: str
    negative: bool


def with_layers(model: keras.Model, config: PerformerConfig) -> PerformerConfig:
    """Fills in the layers that nobody has named.

    Args:
        model: the performer, flat and functional, of fixed input size.
        config: an empty `target_layer` or `distilled_layers` is to be found.

    Raises:
        UserError: the model has no map that the rule could choose.
    """
    target = config.target_layer or target_layer(model)
    return dataclasses.replace(
        config,
        target_layer=target,
        distilled_layers=config.distilled_layers or distilled_layers(model, target),
    )


def target_layer(model: keras.Model) -> str:
    """Returns the name of the layer that the rule chooses.

    Raises:
        UserError: there is no candidate.
    """
    side = model.inputs[0].shape[1]
    found = [each for each in candidates(model) if _is_suitable(each, side)]
    found = [each for each in found if each.kind == _BY_ACTIVATION] or found
    if not found:
        raise UserError(
            "no layer can be the target layer by itself: none is a local map that everything passes through "
            f"and sees half of the image of {side} pixels; name one by --target_layer"
        )
    most = max(coarsest_stride(side), min(each.receptive_field.stride for each in found))
    return [each for each in found if each.receptive_field.stride <= most][-1].layer


def coarsest_stride(image_size: int) -> float:
    """Returns how far apart the units of a target layer may stand, in pixels."""
    return max(image_size / 14, min(16, image_size / 8))


def _is_suitable(candidate: Candidate, image_size: int) -> bool:
    return candidate.receptive_field.size >= _SEEN * image_size and min(candidate.shape[:2]) >= _LEAST_UNITS


def candidates(model: keras.Model) -> list[Candidate]:
    """Returns all maps that could be explained, lowest first.

    Maps without a receptive field, whose units see all of the image otherwise than by windows, are left out.
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
    """What made a map that could be explained; None for other tensors, and before the map's activation."""
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
    """Returns the names of the vectors above a layer that the rule chooses, lowest first."""
    passages = layer_graph.passages(model.outputs[0])
    named = _names(model)
    names = [named[id(tensor)] for tensor in passages]
    above = passages[names.index(target) + 1 :] if target in names else passages
    vectors = [tensor for tensor in above if layer_graph.is_vector(tensor)]
    pooled = [tensor for tensor in vectors if _is_pooled(tensor)]
    chosen = _hidden(vectors) or [(pooled or vectors)[0 if pooled else -1]]
    return tuple(named[id(tensor)] for tensor in chosen)


def _hidden(vectors: Sequence[Any]) -> list[Any]:
    """The last two Dense layers below the one of the scores if one follows the other, else the last."""
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
