"""Drawn animals and a small untrained network, for the plugins' demos."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.registry import open_source
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop
from tf_explainer.images.record import ImageRecord

LAYERS = ("conv_2", "conv_1")
_IMAGES = 60
_SIDE = 96


def animals() -> tuple[np.ndarray, dict[str, Any]]:
    """Returns crops `[N, S, S, 3]` uint8 and the `known` arguments of `summary.of_model`."""
    source = open_source(DatasetConfig(dataset="creatures", num_images=_IMAGES, negatives=False))
    records = [record for _, record in source.read(source.references()) if isinstance(record, ImageRecord)]
    names = source.landmark_names
    known = {
        "ids": [record.reference.id for record in records],
        "classes": source.classes,
        "labels": np.array([record.reference.label for record in records]),
        "landmark_names": names,
        "landmarks": np.stack([landmarks_in_crop(record, names)[:, :2] for record in records]),
    }
    return np.stack([crop_to_object(record, _SIDE) for record in records]), known


def network(classes: int, seed: int) -> keras.Model:
    """Returns a network of two convolutions and a classifier, with random weights."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((_SIDE, _SIDE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters, name in ((24, LAYERS[1]), (40, LAYERS[0])):
        x = keras.layers.Conv2D(filters, 5, strides=3, padding="same", activation="relu", name=name)(x)
    scores = keras.layers.Dense(classes, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, scores)
