"""Fits an explainer to stored features, on all replicas of a strategy, resumable at every epoch."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from tf_explainer import atomic_file, cross_replica, distribution
from tf_explainer.config import DatasetConfig, ExplainerConfig, TrainConfig, WorkDir
from tf_explainer.dataset import training_dataset
from tf_explainer.errors import UserError
from tf_explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.initialisation import explainer_for
from tf_explainer.optimizer import GroupedAdam
from tf_explainer.performers import Performer
from tf_explainer.schema import Manifest

# Batches that the running statistics see before the first step.
CALIBRATION_BATCHES = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training stands after a step.

    Attributes:
        epoch, epochs: the epoch under way, from 1, and how many there are.
        step, steps: steps done and steps in all (None during the first epoch, when it is not known).
        images_per_second: over the epoch so far.
        terms: every loss term, unweighted, with `loss` (the weighted sum), `part_share` as p itself and
            `live_filters`, the share of conv_interp_2's filters with a response in the batch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int | None
    images_per_second: float
    terms: dict[str, float]


class Trainer:
    """One training: the explainer, its optimizer, its data and its checkpoints.

    Args:
        performer: the network that the features are from.
        manifest: of the features.
        workdir: where the features lie and everything is left.
        dataset: which images are held out.
        explainer: shape and loss weights.
        config: how to fit.
        strategy: the devices.
    """

    def __init__(
        self,
        *,
        performer: Performer,
        manifest: Manifest,
        workdir: WorkDir,
        dataset: DatasetConfig,
        explainer: ExplainerConfig,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.manifest, self.workdir, self.dataset = manifest, workdir, dataset
        self.config, self.strategy = config, strategy
        keras.utils.set_random_seed(config.seed)
        with strategy.scope():
            self.explainer = explainer_for(performer, manifest, explainer, config.seed)
            self.optimizer = _optimizer(config)
            self.optimizer.build(self.explainer.trainable_variables)
        self._epochs_done = tf.Variable(0, dtype=tf.int64)
        self._steps_done = tf.Variable(0, dtype=tf.int64)
        self._checkpoint = tf.train.Checkpoint(
            explainer=self.explainer,
            optimizer=self.optimizer,
            epochs=self._epochs_done,
            steps=self._steps_done,
        )
        self._checkpoints = tf.train.CheckpointManager(self._checkpoint, workdir.checkpoints, max_to_keep=2)
        self._train_step = tf.function(self._distributed_train_step)
        self._settings = {
            "explainer": dataclasses.asdict(explainer),
            "training": _identity(config),
            "folds": [dataset.folds, dataset.held_out_fold],
            "performer": manifest.performer,
            "layers": [manifest.target.name, *(layer.name for layer in manifest.distilled)],
        }

    def run(self, report: Callable[[Progress], None]) -> Explainer:
        """Trains to the last epoch, from the last checkpoint where there is one, and saves the explainer.

        Args:
            report: called after every step.

        Returns:
            The trained explainer, as it was saved to the work directory.

        Raises:
            UserError: the checkpoints belong to another configuration.
        """
        self._start_or_resume()
        with tf.summary.create_file_writer(self.workdir.tensorboard).as_default():
            for epoch in range(int(self._epochs_done) + 1, self.config.epochs + 1):
                self._run_epoch(epoch, report)
                self._epochs_done.assign(epoch)
                self._checkpoints.save()
        with atomic_file.replacing(self.workdir.explainer) as path:
            self.explainer.save(path)
        return self.explainer

    @property
    def epochs_done(self) -> int:
        """Epochs behind this training."""
        return int(self._epochs_done)

    def _start_or_resume(self) -> None:
        settings = os.path.join(self.workdir.checkpoints, "settings.json")
        if not self.config.resume:
            shutil.rmtree(self.workdir.checkpoints, ignore_errors=True)
        if os.path.exists(settings):
            with open(settings, encoding="utf-8") as file:
                _refuse_other_settings(json.load(file), json.loads(json.dumps(self._settings)), settings)
        if latest := self._checkpoints.latest_checkpoint if self.config.resume else None:
            self._checkpoint.restore(latest).assert_consumed()
            logging.info("Resumed after epoch %d from %s", self.epochs_done, latest)
            return
        self._calibrate()
        atomic_file.write_text(settings, json.dumps(self._settings, indent=2) + "\n")

    def _batches(self, epoch: int) -> tf.data.Dataset:
        return training_dataset(
            self.manifest,
            self.workdir.features,
            folds=self.dataset.folds,
            held_out_fold=self.dataset.held_out_fold,
            batch_size=self.config.batch_size,
            negatives_per_batch=self.config.negatives_per_batch,
            seed=self.config.seed,
            epoch=epoch,
        )

    def _distributed(self, batches: tf.data.Dataset) -> Iterable[Any]:
        names = [self.manifest.target.name, *(layer.name for layer in self.manifest.distilled)]
        features_only = batches.map(lambda batch: {name: batch[name] for name in names})
        return distribution.distribute(self.strategy, features_only)

    def _calibrate(self) -> None:
        """Lets the running statistics see some images, and the decoder the performer's scale."""
        observe = tf.function(
            lambda features: self.strategy.run(
                lambda x: self.explainer(x, training=True)["conv_interp_2"], args=(features,)
            )
        )
        for batch in self._distributed(self._batches(epoch=0).take(CALIBRATION_BATCHES)):
            observe(batch[self.manifest.target.name])
        self.explainer.rescale_decoder()

    def _run_epoch(self, epoch: int, report: Callable[[Progress], None]) -> None:
        images, start, first_step = 0, time.perf_counter(), int(self._steps_done)
        for batch in self._distributed(self._batches(epoch)):
            images_now, terms = self._train_step(batch)
            images += int(images_now)
            step = int(self._steps_done)
            values = {name: float(value) for name, value in terms.items()}
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)
            steps_an_epoch = first_step // (epoch - 1) if epoch > 1 else None
            report(
                Progress(
                    epoch=epoch,
                    epochs=self.config.epochs,
                    step=step,
                    steps=steps_an_epoch and steps_an_epoch * self.config.epochs,
                    images_per_second=images / (time.perf_counter() - start),
                    terms=values,
                )
            )

    def _distributed_train_step(self, batch: Any) -> tuple[Any, dict[str, Any]]:
        shares = self.strategy.run(self._replica_step, args=(batch,))
        total = {name: self.strategy.reduce("SUM", share, axis=None) for name, share in shares.items()}
        images = total.pop("images")
        self._steps_done.assign_add(1)
        total["loss"] = self.explainer.total_loss(total)
        total["part_share"] = self.explainer.get_layer("mix").part_share()
        return images, total

    def _replica_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        targets = {name: tf.cast(value, tf.float32) for name, value in batch.items()}
        features = targets.pop(self.manifest.target.name)
        with tf.GradientTape() as tape:
            outputs = self.explainer(features, training=True)
            terms = self.explainer.loss_terms(targets, outputs)
            loss = self.explainer.total_loss(terms)
        variables = self.explainer.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return terms | {"images": cross_replica.image_count(features), "live_filters": _live_share(outputs)}


def _live_share(outputs: dict[str, Any]) -> Any:
    peaks = cross_replica.maximum(tf.reduce_max(outputs[INTERPRETABLE_LAYERS[-1]], axis=(0, 1, 2)))
    return tf.reduce_mean(tf.cast(peaks > 0, tf.float32)) / cross_replica.replicas()


def _optimizer(config: TrainConfig) -> GroupedAdam:
    return GroupedAdam(
        config.learning_rate,
        multipliers={
            "mix": config.part_share_learning_rate / config.learning_rate,
            "fc_dec": config.decoder_learning_rate / config.learning_rate,
        },
    )


def _identity(config: TrainConfig) -> dict[str, Any]:
    """Returns the settings that two runs must share to be one training."""
    fields = dataclasses.asdict(config)
    for free in ("epochs", "logical_cpus", "resume"):
        del fields[free]
    return fields


def _refuse_other_settings(theirs: dict[str, Any], ours: dict[str, Any], file: str) -> None:
    for group, settings in ours.items():
        if settings == theirs.get(group):
            continue
        if isinstance(settings, dict):
            old = theirs.get(group, {})
            changed = [f"{k}: {old.get(k)} -> {v}" for k, v in settings.items() if old.get(k) != v]
        else:
            changed = [f"{theirs.get(group)} -> {settings}"]
        raise UserError(
            f"the checkpoints beside {file} belong to a training with other settings ({group}: "
            f"{'; '.join(changed)}). Take another --workdir, or --noresume to start anew"
        )
