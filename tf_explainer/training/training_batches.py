"""The batches of a training, epoch by epoch, divided among the replicas."""

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
    """Where the batches come from; their order is a function of seed and epoch alone.

    Attributes:
        manifest: of the features.
        features: where they lie.
        dataset: which images are held out.
        config: size of the batches, and the seed.
        strategy: the replicas.
        views: stored views of every image, the original first; an image's views stay together.
    """

    manifest: Manifest
    features: str
    dataset: DatasetConfig
    config: TrainConfig
    strategy: tf.distribute.Strategy
    views: tuple[str, ...] = (ORIGINAL,)

    @tf.autograph.experimental.do_not_convert  # As in `dataset`.
    def of_epoch(self, epoch: int, *, skip: int = 0, limit: int = -1) -> tf.distribute.DistributedDataset:
        """Returns per-replica dictionaries of the layers' features, float16, and of the performer's scores.

        Where there are images of the negative class, `shows_object` is 0 for them, and 1 for the others. With
        several views they are `[B * V, ...]`, and `affine` is `[B, V, 4]`, in units of the map.

        Args:
            epoch: counted from 1; 0 has an order of its own, for calibration.
            skip: batches to leave out at the start.
            limit: batches at most; -1: all.
        """
        names = [self.manifest.target.name, *(layer.name for layer in self.manifest.distilled), SCORES]

        matrix, vector = views.in_units(self.manifest.receptive_field, self.manifest.image_size)

        def chosen(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            kept = {name: batch[name] for name in names}
            if self.manifest.negative_label is not None:
                kept[SHOWS_OBJECT] = tf.cast(batch[LABEL] != self.manifest.negative_label, tf.float32)
            if len(self.views) > 1:
                affine = tf.reshape(batch[AFFINE], (-1, len(self.views), 4))
                kept[AFFINE] = affine @ matrix + vector
            return kept

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
                divide=lambda whole: divide(whole.take(limit)),
            ).map(chosen)

        return distribution.distribute(self.strategy, batches)

    def read(self, batches: tf.distribute.DistributedDataset) -> Iterator[Any]:
        """Yields batches.

        Raises:
            UserError: a shard is damaged; the message names it.
        """
        iterator = iter(batches)
        while True:
            try:
                batch = next(iterator)
            except StopIteration:
                return
            except tf.errors.OpError as error:
                raise self.unreadable(error) from error
            yield batch

    def unreadable(self, error: tf.errors.OpError) -> UserError:
        """Returns what to tell where features cannot be read.

        Raises:
            UserError: a shard is damaged; the message names it.
        """
        verify_checksums(self.manifest, self.features)
        return UserError(f"the features in {self.features} cannot be read ({error.message.splitlines()[0]})")

    @property
    def expected(self) -> int:
        """How many batches an epoch has, as the folds let expect."""
        counts = self.manifest.class_counts
        images = sum(counts.values()) - counts.get(self.manifest.negative_class or "", 0)
        return math.ceil(images * (1 - 1 / self.dataset.folds) / self.config.batch_size)
