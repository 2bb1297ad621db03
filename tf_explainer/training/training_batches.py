"""The training batches, epoch by epoch, divided among the replicas."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_explainer.config import DatasetConfig, TrainConfig
from tf_explainer.errors import UserError
from tf_explainer.explainer.explainer import SHOWS_OBJECT
from tf_explainer.features import views
from tf_explainer.features.dataset import training_dataset
from tf_explainer.features.manifest import verify_checksums
from tf_explainer.features.schema import AFFINE, LABEL, ORIGINAL, SCORES, Manifest
from tf_explainer.training import distribution


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingBatches:
    """Reads training batches; their order depends only on the seed and the epoch.

    Attributes:
        manifest: manifest of the features.
        features: directory of the features.
        dataset: data set settings; they determine the held-out images.
        config: batch size and seed.
        strategy: the replicas.
        views: stored views to read of every image, the original first; an image's views stay together.
    """

    manifest: Manifest
    features: str
    dataset: DatasetConfig
    config: TrainConfig
    strategy: tf.distribute.Strategy
    views: tuple[str, ...] = (ORIGINAL,)

    @tf.autograph.experimental.do_not_convert  # As in `dataset`.
    def of_epoch(self, epoch: int, *, skip: int = 0, limit: int = -1) -> tf.distribute.DistributedDataset:
        """Returns per-replica dictionaries of the layers' features, float16, and the performer's scores.

        If the data set has a negative class, `shows_object` is 0 for its images and 1 for others. With
        several views, all these are `[B * V, ...]`, and `affine` is `[B, V, 4]`, in units of the map.

        Args:
            epoch: number of the epoch, from 1; 0 gives a separate order, for calibration.
            skip: number of batches to skip at the start.
            limit: largest number of batches; -1 for all.
        """
        names = [self.manifest.target.name, *(layer.name for layer in self.manifest.distilled), SCORES]
        matrix, vector = views.in_units(self.manifest.receptive_field, self.manifest.image_size)

        def select(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            selected = {name: batch[name] for name in names}
            if self.manifest.negative_label is not None:
                selected[SHOWS_OBJECT] = tf.cast(batch[LABEL] != self.manifest.negative_label, tf.float32)
            if len(self.views) > 1:
                affine = tf.reshape(batch[AFFINE], (-1, len(self.views), 4))
                selected[AFFINE] = affine @ matrix + vector
            return selected

        def batches(divide: distribution.Division) -> tf.data.Dataset:
            return training_dataset(
                self.manifest,
                self.features,
                folds=self.dataset.folds,
                held_out_fold=self.dataset.held_out_fold,
                batch_size=self.config.batch_size,
                negatives_per_batch=self.config.negatives_per_batch,
                seed=self.config.seed,
                epoch=epoch,
                views=self.views,
                skip=skip,
                divide=lambda dataset: divide(dataset.take(limit)),
            ).map(select)

        return distribution.distribute(self.strategy, batches)

    def read(self, batches: tf.distribute.DistributedDataset) -> Iterator[Any]:
        """Yields the batches.

        Raises:
            UserError: a shard is damaged; the message names it.
        """
        try:
            yield from batches
        except tf.errors.OpError as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: tf.errors.OpError) -> UserError:
        """Returns the error to raise when features cannot be read.

        Raises:
            UserError: a shard is damaged; the message names it.
        """
        verify_checksums(self.manifest, self.features)
        return UserError(f"the features in {self.features} cannot be read ({error.message.splitlines()[0]})")

    @property
    def expected(self) -> int:
        """Expected number of batches in an epoch, from the size of the held-out fold."""
        counts = self.manifest.class_counts
        images = sum(counts.values()) - counts.get(self.manifest.negative_class or "", 0)
        return math.ceil(images * (1 - 1 / self.dataset.folds) / self.config.batch_size)
