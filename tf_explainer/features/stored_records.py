"""Parses and decodes records of stored features with TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.features import feature_coding, schema
from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.features.schema import Manifest

Split = Literal["all", "train", "held_out"]


def parsed(
    manifest: Manifest,
    files: Sequence[str],
    *,
    folds: int,
    held_out_fold: int,
    split: Split,
    views: Sequence[str],
) -> tf.data.Dataset:
    """Returns the records of one split, with features and crops as bytes.

    Args:
        manifest: of the set.
        files: paths of the shards in the order to read them; up to four are read in parallel.
        folds: number of folds into which the images are divided.
        held_out_fold: the fold that is `held_out`; the others are `train`.
        split: the images to return.
        views: the views of every image, which follow each other.

    Raises:
        UserError: a view is not stored.
    """
    stored = schema.ORIGINAL, *manifest.views
    if absent := sorted(set(views) - set(stored)):
        raise UserError(
            f"the view {absent[0]!r} is not stored (only {', '.join(stored)}): run "
            "`python -m pipelines.extract_features` with the same flags, --views and --overwrite"
        )
    compression = feature_coding.file_compression(manifest.encoding)
    records = tf.data.Dataset.from_tensor_slices(list(files)).interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type=compression),
        cycle_length=min(4, max(1, len(files))),
        block_length=len(stored),  # The records of one image.
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    specification = _specification(manifest)
    records = records.map(
        lambda record: tf.io.parse_single_example(record, specification),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    if set(views) != set(stored):
        asked = tf.constant(list(views))
        records = records.filter(lambda record: tf.reduce_any(record[schema.VIEW] == asked))
    if split == "all":
        return records

    def is_held_out(record: dict[str, tf.Tensor]) -> tf.Tensor:
        # In float64, as in `images.folds.fold_of`: in float32 the product may round up to the next fold.
        return tf.cast(tf.cast(record[schema.FOLD_POSITION], tf.float64) * folds, tf.int32) == held_out_fold

    if split == "held_out":
        return records.filter(is_held_out)
    return records.filter(lambda record: tf.logical_not(is_held_out(record)))


def _layers(manifest: Manifest) -> tuple[LayerSpec, ...]:
    return manifest.target, *manifest.distilled


def _specification(manifest: Manifest) -> dict[str, tf.io.FixedLenFeature]:
    specification = {
        schema.ID: tf.io.FixedLenFeature((), tf.string),
        schema.VIEW: tf.io.FixedLenFeature((), tf.string),
        schema.AFFINE: tf.io.FixedLenFeature((4,), tf.float32),
        schema.LABEL: tf.io.FixedLenFeature((), tf.int64),
        schema.FOLD_POSITION: tf.io.FixedLenFeature((), tf.float32),
        schema.CROP: tf.io.FixedLenFeature((), tf.string),
        schema.SCORES: tf.io.FixedLenFeature((manifest.num_scores,), tf.float32),
    }
    if manifest.landmarks:
        specification[schema.LANDMARKS] = tf.io.FixedLenFeature((len(manifest.landmarks), 4), tf.float32)
    return specification | {
        schema.feature_key(layer.name): feature_coding.specification(manifest.encoding)
        for layer in _layers(manifest)
    }


def decoded(record: dict[str, tf.Tensor], manifest: Manifest, with_crops: bool) -> dict[str, tf.Tensor]:
    """Decodes one parsed record, or a batch of them, into what `dataset.feature_dataset` returns.

    Args:
        record: as from `parsed`.
        manifest: of the set.
        with_crops: whether to decode the performer's input too; only for single records.

    Returns:
        Values by the keys of `schema` and the names of layers: features `[(B,) L, L, D]` or `[(B,) units]`,
        `scores` `[(B,) num_scores]`, landmarks `[(B,) K, 4]`, and the crop, `[S, S, 3]` uint8.
    """
    unchanged = schema.ID, schema.VIEW, schema.AFFINE, schema.LABEL, schema.FOLD_POSITION, schema.SCORES
    decoded = {name: record[name] for name in unchanged}
    batch = tf.shape(record[schema.LABEL])
    decoded[schema.LANDMARKS] = record.get(
        schema.LANDMARKS, tf.zeros(tf.concat([batch, [0, 4]], axis=0), tf.float32)
    )
    for layer in _layers(manifest):
        stored = record[schema.feature_key(layer.name)]
        decoded[layer.name] = feature_coding.decode(stored, layer.shape, manifest.encoding)
    if with_crops:
        crop = tf.io.decode_jpeg(record[schema.CROP], channels=3)
        decoded[schema.CROP] = tf.ensure_shape(crop, (manifest.image_size, manifest.image_size, 3))
    return decoded
