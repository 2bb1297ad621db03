"""Writes snapshots while an explainer is trained."""

from __future__ import annotations

from typing import Any

import keras
from absl import logging

from tf_explainer.config import SnapshotConfig
from tf_explainer.features.stored_features import Features
from tf_explainer.plugins.parts import run_snapshot
from tf_explainer.plugins.run_writer import RunWriter


class PartsSnapshots(keras.callbacks.Callback):
    """Writes a snapshot of the part filters every few epochs and at the end.

    Args:
        directory: of the event files; nothing else may write there.
        features: stored features, from which images are chosen.
        config: how often, and how many images.
        top_images: images used per filter and landmark.
    """

    def __init__(self, directory: str, features: Features, config: SnapshotConfig, top_images: int) -> None:
        super().__init__()
        self._directory, self._features, self._config = directory, features, config
        self._top_images = top_images

    def on_train_begin(self, logs: Any = None) -> None:
        """Chooses the images; training from step 0 removes earlier snapshots."""
        self._step = self._written = self.params["first_step"]
        self._writer = RunWriter(self._directory, replace=self._step == 0)
        self._shown = run_snapshot.ShownImages.choose(self._features, "all", self._config.images)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keeps the number of the step."""
        self._step = batch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes a snapshot every few epochs."""
        if epoch % self._config.every == 0:
            self._write()

    def on_train_end(self, logs: Any = None) -> None:
        """Writes a snapshot unless the last epoch wrote one."""
        if self._written < self._step:
            self._write()

    def _write(self) -> None:
        snapshot = run_snapshot.of_training(self.model, self._shown, self._top_images)
        self._writer.write(snapshot, self._step)
        self._written = self._step
        logging.info("A snapshot of the parts at step %d is in %s", self._step, self._directory)
