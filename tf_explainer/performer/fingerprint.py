"""A fingerprint of what a Keras model computes, the same after saving and loading and in every process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

# Settings about the model's creation or training, which do not change what it computes.
_IRRELEVANT = ("trainable", "seed", "build_config", "module", "registered_name")
_IRRELEVANT_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def fingerprint(model: keras.Model) -> str:
    """Returns the SHA-256 of a functional model's architecture and weights, in hexadecimal.

    Names of layers are ignored, as Keras numbers them differently in every process. So are initialisers,
    regularisers, constraints, seeds, and whether layers are trainable.
    """
    config = model.get_config()
    positions = {layer["name"]: position for position, layer in enumerate(config["layers"])}
    architecture = [_normalised(layer, positions) for layer in config["layers"]]
    ends = [_normalised(config[key], positions) for key in ("input_layers", "output_layers")]
    digest = hashlib.sha256(json.dumps([architecture, ends], sort_keys=True, default=str).encode())
    for layer in model.layers:
        for weight in layer.weights:
            array = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _normalised(value: Any, positions: Mapping[str, int]) -> Any:
    """Drops irrelevant settings, and replaces names of layers by their positions."""
    if isinstance(value, Mapping):
        if "inbound_nodes" in value:
            value = {**value, "name": None, "config": {**value["config"], "name": None}}
        return {key: _normalised(part, positions) for key, part in value.items() if _is_relevant(key)}
    if isinstance(value, list | tuple):
        parts = list(value)
        if _is_reference(parts) and parts[0] in positions:
            parts[0] = positions[parts[0]]
        return [_normalised(part, positions) for part in parts]
    return value


def _is_relevant(key: str) -> bool:
    return key not in _IRRELEVANT and not key.endswith(_IRRELEVANT_ENDINGS)


def _is_reference(parts: list[Any]) -> bool:
    """Returns whether a list is a reference to a tensor, (layer, call, output)."""
    return len(parts) == 3 and isinstance(parts[0], str) and all(isinstance(part, int) for part in parts[1:])
