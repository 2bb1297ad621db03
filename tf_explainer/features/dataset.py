"""Stored features as `tf.data`: single images of a split, and shuffled batches for training."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_explainer.features import schema, stored_records
from tf_explainer.features.schema import Manifest
from tf_explainer.features.stored_records import Split

# Number of records in the shuffle buffer; they are parsed but not decoded, so VGG-16's take about 100 MB.
SHUFFLE_BUFFER = 512


# No Python statement depends on a tensor, so AutoGraph would take seconds to find nothing to convert.
@tf.autograph.experimental.do_not_convert
def feature_dataset(
    manifest: Manifest,
    features_dir: str,
    *,
    folds: int,
    held_out_fold: int,
    split: Split = "all",
    views: Sequence[str] = (schema.ORIGINAL,),
    with_crops: bool = False,
) -> tf.data.Dataset:
    """Returns single images in the order of the shards.

    Args:
        manifest: of the set.
        features_dir: directory of its files.
        folds: number of folds into which the images are divided.
        held_out_fold: the fold that is `held_out`; the others are `train`.
        split: the images to return.
        views: the views of every image, which follow each other.
        with_crops: whether to decode the performer's inputs too.

    Returns:
        Dictionaries of `id` (string), `view` (string), `affine` (`[4]` float32, see `views.Crop`), `label`
        (int64), `fold_position` (float32), `landmarks` (`[K, 4]` float32), `scores` (`[num_scores]` float32),
        the layers' features by name (float16, `[L, L, D]` and `[units]`), and with `with_crops` also `crop`
        (`[S, S, 3]` uint8).

    Raises:
        UserError: a view is not stored.
    """
    files = [posixpath.join(features_dir, shard.file) for shard in manifest.shards]
    records = stored_records.parsed(
        manifest, files, folds=folds, held_out_fold=held_out_fold, split=split, views=views
    )
    return records.map(
        lambda record: stored_records.decoded(record, manifest, with_crops),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)


@tf.autograph.experimental.do_not_convert
def training_dataset(
    manifest: Manifest,
    features_dir: str,
    *,
    folds: int,
    held_out_fold: int,
    batch_size: int,
    negatives_per_batch: int,
    seed: int,
    epoch: int,
    views: Sequence[str] = (schema.ORIGINAL,),
    skip: int = 0,
    divide: Callable[[tf.data.Dataset], tf.data.Dataset] = lambda batches: batches,
) -> tf.data.Dataset:
    """Returns one epoch of shuffled batches: each training image of the categories, once.

    Args:
        manifest: of the set.
        features_dir: directory of its files.
        folds: number of folds into which the images are divided.
        held_out_fold: the fold to leave out.
        batch_size: images of the categories per batch; the last batch may have fewer.
        negatives_per_batch: images of the negative class, if there is one, that follow in each batch; they
            are repeated as necessary.
        seed: of the order.
        epoch: number of the epoch; each has its own order, which is reproducible.
        views: the views of every image, which stay together and count as one image of a batch.
        skip: number of batches to skip, those before an interruption of the training.
        divide: divides the batches between replicas; only the batches that it returns are decoded.

    Returns:
        Dictionaries as from `feature_dataset`, batched: `[B * V, ...]`, the V views of an image in a row.

    Raises:
        UserError: a view is not stored.
    """
    order = np.random.default_rng([seed, epoch])
    files = [posixpath.join(features_dir, shard.file) for shard in manifest.shards]
    records = stored_records.parsed(
        manifest,
        list(order.permutation(files)),
        folds=folds,
        held_out_fold=held_out_fold,
        split="train",
        views=views,
    )
    shuffle_seed = int(order.integers(2**31))
    negative = manifest.negative_label
    if len(views) > 1:
        records = records.batch(len(views), drop_remainder=True)

    def is_negative(record: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.reshape(record[schema.LABEL], [-1])[0] == negative

    def one_by_one(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Merges the axes of images and views `[B, V, ...]`; called after the division between replicas."""
        if len(views) == 1:
            return batch
        return {name: tf.reshape(v, tf.concat([[-1], tf.shape(v)[2:]], 0)) for name, v in batch.items()}

    def shuffled(images: tf.data.Dataset) -> tf.data.Dataset:
        return images.shuffle(SHUFFLE_BUFFER, seed=shuffle_seed)

    def decoded(batches: tf.data.Dataset) -> tf.data.Dataset:
        return (
            divide(batches.skip(skip))
            .map(
                lambda batch: stored_records.decoded(one_by_one(batch), manifest, with_crops=False),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(tf.data.AUTOTUNE)
        )

    if negative is None or not manifest.class_counts[manifest.classes[negative]]:
        return decoded(shuffled(records).batch(batch_size))
    categories = shuffled(records.filter(lambda r: tf.logical_not(is_negative(r)))).batch(batch_size)
    if not negatives_per_batch:
        return decoded(categories)
    # Shuffled before repeated, so that each pass over the negatives ends before the next begins.
    negatives = shuffled(records.filter(is_negative)).repeat().batch(negatives_per_batch)
    return decoded(
        tf.data.Dataset.zip(categories, negatives).map(
            lambda a, b: {name: tf.concat([a[name], b[name]], axis=0) for name in a}
        )
    )
