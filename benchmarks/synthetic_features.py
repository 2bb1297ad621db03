"""Writes random features, as large and as sparse as VGG-16's, to measure how they are read."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_explainer.features import feature_coding, schema
from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.features.schema import Manifest, Shard
from tf_explainer.images.folds import fold_position
from tf_explainer.images.unit_grid import ReceptiveField

SIDE_OF_CROP = 224
CLASSES = ("object",)
_SPARSE = 0.07


def random_features(
    random: np.random.Generator, shape: tuple[int, ...], units: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Returns one image's features by layer, `target` and the distilled ones, float16."""
    target = random.gamma(0.5, 1.0, shape) * (random.uniform(size=shape) < _SPARSE)
    distilled = {name: np.maximum(random.normal(size=width), 0) for name, width in units.items()}
    return {name: values.astype(np.float16) for name, values in {"target": target, **distilled}.items()}


def write_set(
    directory: pathlib.Path, shape: tuple[int, ...], units: Mapping[str, int], count: int
) -> Manifest:
    """Writes a set of one shard in the default encoding, and returns its manifest."""
    random = np.random.default_rng(0)
    path = directory / schema.shard_name(0, 1)
    crop = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (SIDE_OF_CROP // 8,) * 2 + (3,), np.uint8)).resize(
        (SIDE_OF_CROP,) * 2
    ).save(crop, "JPEG", quality=90)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(count):
            features = random_features(random, shape, units)
            writer.write(_example(f"image/{number}", features, crop.getvalue()).SerializeToString())
    return Manifest(
        classes=CLASSES,
        negative_class=None,
        landmarks=(),
        num_scores=1,
        image_size=SIDE_OF_CROP,
        performer="0" * 64,
        target=LayerSpec(name="target", shape=shape, mean=0.5 * _SPARSE),
        distilled=tuple(LayerSpec(name=name, shape=(width,)) for name, width in units.items()),
        receptive_field=ReceptiveField(size=196, stride=16, centre=8),
        dtype="float16",
        encoding="sparse",
        views=(),
        shards=(Shard(file=path.name, records=count, bytes=path.stat().st_size, sha256=""),),
        inputs=count,
        outputs=count,
        dead_letters=0,
        class_counts={CLASSES[0]: count},
        configuration={},
        versions={},
    )


def _example(image_id: str, features: Mapping[str, np.ndarray], crop: bytes) -> tf.train.Example:
    fields = {
        schema.ID: _bytes(image_id.encode()),
        schema.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
        schema.FOLD_POSITION: _floats(fold_position(image_id)),
        schema.VIEW: _bytes(schema.ORIGINAL.encode()),
        schema.AFFINE: _floats(1, 0, 1, 0),
        schema.CROP: _bytes(crop),
        schema.SCORES: _floats(1),
    } | {
        schema.feature_key(name): _bytes(*feature_coding.encode(values, "sparse"))
        for name, values in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=fields))


def _bytes(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _floats(*values: float) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
