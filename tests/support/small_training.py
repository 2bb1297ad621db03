"""A training small enough for tests: a performer of a few units, sixty stored images, a Trainer of them."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf

from tests.support.evaluation_example import CHANNELS, CROP, DISTILLED, SIDE, stored_images, write_features
from tf_explainer.config import DatasetConfig, ExplainerConfig, PerformerConfig, TrainConfig, WorkDir
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import Performer
from tf_explainer.training.trainer import Trainer

# 36 images of the categories are trained on: an epoch has 5 steps, the last with 4 + 2 images.
CONFIG = TrainConfig(epochs=3, batch_size=8, negatives_per_batch=2, learning_rate=1e-3)
EXPLAINER = ExplainerConfig(part_share_weight=1.0, initial_part_share=0.2)


def small_performer(activation: str = "softmax") -> Performer:
    keras.utils.set_random_seed(0)
    image = keras.Input((CROP, CROP, 3))
    x = keras.layers.Conv2D(CHANNELS, 8, strides=8, activation="relu", name="block")(image)
    assert x.shape[1] == SIDE
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    for name, units in DISTILLED.items():
        x = keras.layers.Dense(units, activation="relu", name=name)(x)
    model = keras.Model(image, keras.layers.Dense(3, activation=activation)(x))
    return Performer(
        model, PerformerConfig(image_size=CROP, target_layer="block", distilled_layers=tuple(DISTILLED))
    )


def small_features(folder: pathlib.Path, images: int = 60, mirrored: bool = False) -> Manifest:
    """Stores images' features in a folder, which is made, each mirrored too if asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = stored_images(images)
    if mirrored:
        stored = [view for image in stored for view in (image, _mirrored(image))]
    written = write_features(folder, stored)
    manifest = dataclasses.replace(
        written,
        views=("flip",) if mirrored else (),
        target=dataclasses.replace(written.target, mean=0.4),
        distilled=tuple(dataclasses.replace(layer, mean_square_norm=1.5) for layer in written.distilled),
    )
    (folder / schema.MANIFEST).write_text(json.dumps(dataclasses.asdict(manifest)))
    return manifest


def _mirrored(image: dict) -> dict:
    changes = {"id": f"{image['id']}#flip", "view": "flip", "affine": (1, 0, -1, 1)}
    return image | changes | {"block": image["block"][:, ::-1]}


def small_trainer(
    workdir: WorkDir,
    manifest: Manifest,
    performer: Performer | None = None,
    config: TrainConfig = CONFIG,
    explainer: ExplainerConfig = EXPLAINER,
    strategy: tf.distribute.Strategy | None = None,
    **options,
) -> Trainer:
    return Trainer(
        performer=performer or small_performer(),
        manifest=manifest,
        workdir=workdir,
        dataset=DatasetConfig(dataset="folder"),
        explainer=explainer,
        config=config,
        # Several mirrored strategies in one process get into each other's way (test_cross_replica).
        strategy=strategy or tf.distribute.OneDeviceStrategy("CPU:0"),
        **options,
    )


def weights(explainer: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(weight) for weight in explainer.weights]
