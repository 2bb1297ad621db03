"""A set of stored features as extraction would leave it, and an explainer of it, small and made by hand."""

from __future__ import annotations

import io
import pathlib

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tf_explainer.config import DatasetConfig, ExplainerConfig
from tf_explainer.explainer.explainer import DistilledLayer, Explainer
from tf_explainer.features import schema
from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.features.outputs import Outputs
from tf_explainer.features.schema import Manifest, Shard
from tf_explainer.features.stored_features import Features
from tf_explainer.images.folds import fold_position
from tf_explainer.images.unit_grid import ReceptiveField

SIDE, CHANNELS, UNITS, CROP = 5, 6, 4, 40
CLASSES = ("fox", "fish", "negative")
LANDMARKS = ("head", "frontal_legs")
DISTILLED = {"fc1": UNITS, "fc2": UNITS + 1}
SHARD = "features-00000-of-00001.tfrecord"


def stored_images(count: int, seed: int = 0) -> list[dict]:
    """Images of all classes in turn, as `feature_dataset` gives them back."""
    random = np.random.default_rng(seed)
    made = []
    for n in range(count):
        landmarks = random.uniform(0.3, 0.7, (len(LANDMARKS), 4)).astype(np.float32)
        if n % 3 == 2:
            landmarks[:] = np.nan
        made.append(
            {
                "id": f"image/{n}",
                "label": n % 3,
                "landmarks": landmarks,
                "crop": np.full((CROP, CROP, 3), random.integers(0, 256, 3), np.uint8),
                "scores": random.dirichlet(np.ones(3)).astype(np.float32),
                "block": np.maximum(random.normal(size=(SIDE, SIDE, CHANNELS)), 0).astype(np.float16),
            }
            | {name: random.uniform(size=units).astype(np.float16) for name, units in DISTILLED.items()}
        )
    return made


def write_features(folder: pathlib.Path, stored: list[dict]) -> Manifest:
    """Writes one shard and its manifest."""
    with tf.io.TFRecordWriter(str(folder / SHARD)) as writer:
        for image in stored:
            writer.write(_example(image).SerializeToString())
    distilled = tuple(LayerSpec(name=name, shape=(units,)) for name, units in DISTILLED.items())
    manifest = Manifest(
        classes=CLASSES,
        negative_class="negative",
        landmarks=LANDMARKS,
        num_scores=3,
        image_size=CROP,
        performer="0" * 64,
        target=LayerSpec(name="block", shape=(SIDE, SIDE, CHANNELS)),
        distilled=distilled,
        receptive_field=ReceptiveField(size=16, stride=8, centre=4),
        dtype="float16",
        encoding="float16",
        views=(),
        shards=(
            Shard(file=SHARD, records=len(stored), bytes=(folder / SHARD).stat().st_size, sha256="0" * 64),
        ),
        inputs=len(stored),
        outputs=len(stored),
        dead_letters=0,
        class_counts={name: sum(i["label"] == n for i in stored) for n, name in enumerate(CLASSES)},
        configuration={},
        versions={},
    )
    (folder / schema.MANIFEST).write_text(manifest.to_json())
    return manifest


def _example(image: dict) -> tf.train.Example:
    jpeg = io.BytesIO()
    Image.fromarray(image["crop"]).save(jpeg, "JPEG", quality=95)

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_floats(values: np.ndarray) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(values)))

    fields = {
        schema.ID: of_bytes(image["id"].encode()),
        schema.VIEW: of_bytes(image.get("view", schema.ORIGINAL).encode()),
        schema.AFFINE: of_floats(np.array(image.get("affine", (1, 0, 1, 0)))),
        schema.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[image["label"]])),
        schema.FOLD_POSITION: of_floats(np.array(fold_position(image["id"].partition("#")[0]))),
        schema.LANDMARKS: of_floats(image["landmarks"]),
        schema.CROP: of_bytes(jpeg.getvalue()),
        schema.SCORES: of_floats(image["scores"]),
    } | {schema.feature_key(name): of_bytes(image[name].tobytes()) for name in ("block", *DISTILLED)}
    return tf.train.Example(features=tf.train.Features(feature=fields))


def features_of(folder: pathlib.Path, count: int = 60, folds: int = 4) -> tuple[Features, list[dict]]:
    """Stores images and returns the set and the images."""
    stored = stored_images(count)
    return stored_features(folder, stored, folds), stored


def stored_features(folder: pathlib.Path, stored: list[dict], folds: int = 4) -> Features:
    """Stores images and returns the set."""
    return Features(
        manifest=write_features(folder, stored),
        directory=str(folder),
        dataset=DatasetConfig(dataset="folder", folds=folds),
        outputs=Outputs(kind="softmax", names=CLASSES, classes=CLASSES),
    )


def small_explainer(*pooling: keras.layers.Layer) -> Explainer:
    """An explainer of these features, as it is before training; the mean is taken unless layers are named."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    pooled = inputs
    for layer in pooling or (keras.layers.GlobalAveragePooling2D(),):
        pooled = layer(pooled)
    return Explainer(
        feature_shape=(SIDE, SIDE, CHANNELS),
        feature_mean=0.4,
        distilled=[
            DistilledLayer(name=name, units=units, activation="relu", mean_square_norm=2.0)
            for name, units in DISTILLED.items()
        ],
        trunk=keras.Model(inputs, pooled),
        head=small_head(),
        output_kind="softmax",
        config=ExplainerConfig(),
    )


def small_head() -> keras.Model:
    """From the last distilled layer to the logits."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((DISTILLED["fc2"],))
    return keras.Model(inputs, keras.layers.Dense(3)(inputs))
