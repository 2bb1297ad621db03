"""Stored features as `tf.data`: records, folds, and the batches that training sees."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_explainer.features import schema, stored_records
from tf_explainer.features.schema import Manifest
from tf_explainer.features.stored_records import Split

# Records in memory while shuffling: they are parsed, not yet decoded, so this is about 100 MB of VGG-16.
SHUFFLE_BUFFER = 512


# No Python statement depends on a tensor: AutoGraph would find nothing to convert, and takes seconds for it.
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
        features_dir: where its files lie.
        folds: how many folds the images are divided into.
        held_out_fold: the one that `held_out` has and `train` has not.
        split: which images.
        views: of every image; they follow each other.
        with_crops: whether the performer's inputs are decoded too.

    Returns:
        Dictionaries of `id` (string), `view` (string), `affine` (`[4]` float32, see `views.Crop`), `label`
        (int64), `fold_position` (float32), `landmarks` (`[K, 4]` float32), `scores` (`[num_scores]` float32),
        the layers' features by name (float16, `[L, L, D]` and `[units]`), and `crop` (`[S, S, 3]` uint8) if
        asked for.

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
    """Returns one epoch of shuffled batches: one pass over the categories' images, none lost.

    Args:
        manifest: of the set.
        features_dir: where its files lie.
        folds: how many folds the images are divided into.
        held_out_fold: the one that is left out.
        batch_size: images of the categories a batch; the last batch may have fewer.
        negatives_per_batch: images of the negative class that follow them, where there is such a class;
            they begin again when they are used up.
        seed: of the order.
        epoch: of the order: every epoch has its own, the same whenever it is run.
        views: of every image; those of one image stay together, and count as one image of a batch.
        skip: batches to leave out at the start, those that an interrupted training has behind it.
        divide: cuts the batches into the replicas' shares; only what it leaves is decoded.

    Returns:
        Dictionaries as from `feature_dataset`, batched: `[B * V, ...]`, an image's V views one by one.

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
        """Puts the views' axis `[B, V, ...]` into the batch's; replicas have their shares by then."""
        if len(views) == 1:
            return batch
        return {name: tf.reshape(v, tf.concat([[-1], tf.shape(v)[2:]], 0)) for name, v in batch.items()}

    def batches(of: tf.data.Dataset, size: int) -> tf.data.Dataset:
        return of.shuffle(SHUFFLE_BUFFER, seed=shuffle_seed).batch(size)

    def decoded(of: tf.data.Dataset) -> tf.data.Dataset:
        return (
            divide(of.skip(skip))
            .map(
                lambda batch: stored_records.decoded(one_by_one(batch), manifest, with_crops=False),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(tf.data.AUTOTUNE)
        )

    if negative is None or not manifest.class_counts[manifest.classes[negative]]:
        return decoded(batches(records, batch_size))
    categories = batches(records.filter(lambda r: tf.logical_not(is_negative(r))), batch_size)
    if not negatives_per_batch:
        return decoded(categories)
    # Shuffled before it is repeated: each pass over the negatives ends before the next begins.
    negatives = (
        records.filter(is_negative)
        .shuffle(SHUFFLE_BUFFER, seed=shuffle_seed)
        .repeat()
        .batch(negatives_per_batch)
    )
    return decoded(
        tf.data.Dataset.zip(categories, negatives).map(
            lambda a, b: {name: tf.concat([a[name], b[name]], axis=0) for name in a}
        )
    )
