"""Encodes a view of an image as a record, in the format of `tf_explainer.features.schema`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_explainer.features import schema, views
from tf_explainer.features.views import Crop
from tf_explainer.images.folds import fold_position


def encode_example(
    crop: Crop, features: Mapping[str, Sequence[bytes]], scores: np.ndarray, jpeg_quality: int
) -> bytes:
    """Encodes a record; the same input gives the same bytes.

    Args:
        crop: the view.
        features: by layer, encoded by `feature_coding.encode`.
        scores: the performer's, `[num_scores]`.
        jpeg_quality: of the crop, 1 to 100.
    """
    feature = {
        schema.ID: _bytes(views.record_id(crop.reference, crop.view).encode()),
        schema.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[crop.reference.label])),
        schema.FOLD_POSITION: _floats([fold_position(crop.reference.id)]),
        schema.VIEW: _bytes(crop.view.encode()),
        schema.AFFINE: _floats(crop.affine),
        schema.LANDMARKS: _floats(crop.landmarks.ravel()),
        schema.CROP: _bytes(_jpeg(crop.pixels, jpeg_quality)),
        schema.SCORES: _floats(scores.ravel().astype(np.float32)),
    } | {schema.feature_key(layer): _bytes(*encoded) for layer, encoded in features.items()}
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    # A protocol buffer's map has no fixed order otherwise.
    return example.SerializePartialToString(deterministic=True)


def _jpeg(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _bytes(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _floats(values: Any) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
