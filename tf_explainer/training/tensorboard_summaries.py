"""Writes scalars, histograms, hyper-parameters and a profile of the training for TensorBoard."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from tf_explainer.training.training_step import GRADIENT_SQUARE, IMAGES, STOPPING
from tf_explainer.training.validation import PREFIX


class TensorBoardSummaries(keras.callbacks.Callback):
    """Writes loss terms at every step, validation measures and histograms of the weights at every epoch.

    Args:
        directory: directory of the event files.
        settings: hyper-parameters, for the HParams tab.
    """

    def __init__(self, directory: str, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._directory, self._settings = directory, dict(settings)

    def on_train_begin(self, logs: Any = None) -> None:
        """Opens the event file; when training starts from step 0, removes the event files of earlier runs."""
        self._step = self.params["first_step"]
        if self._step == 0:
            for curves in pathlib.Path(self._directory).rglob("events.out.tfevents.*"):
                curves.unlink()
        self._writer = tf.summary.create_file_writer(self._directory)
        with self._writer.as_default():
            hparams.hparams({name: _plain(value) for name, value in self._settings.items()})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a step's values."""
        self._step = batch
        with self._writer.as_default(batch):
            for name, value in logs.items():
                if name not in (IMAGES, STOPPING) and not name.startswith(GRADIENT_SQUARE):
                    tf.summary.scalar(name, value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes validation measures and histograms, at the current step like the loss."""
        with self._writer.as_default(self._step):
            for name, value in logs.items():
                if name.startswith(PREFIX):
                    tf.summary.scalar(name, value)
            for weight in self.model.weights:
                tf.summary.histogram(f"weights/{weight.path}", keras.ops.convert_to_numpy(weight))
        self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the event file."""
        self._writer.close()


class StepProfile(keras.callbacks.Callback):
    """Profiles some steps for TensorBoard's profiler.

    Args:
        directory: directory of the event files.
        steps: the first and the last step.
    """

    def __init__(self, directory: str, steps: Sequence[int]) -> None:
        super().__init__()
        self._directory = directory
        self._first, self._last = steps
        self._on = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Starts the profiler before the first step to profile and stops it after the last."""
        if batch == self._first - 1:
            self._start()
        elif batch == self._last:
            self._end()

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the profiler if the first step to profile is the next one."""
        if self.params["first_step"] == self._first - 1:
            self._start()

    def on_train_end(self, logs: Any = None) -> None:
        """Stops the profiler, if the training ended before the last step to profile."""
        self._end()

    def _start(self) -> None:
        tf.profiler.experimental.start(self._directory)
        self._on = True

    def _end(self) -> None:
        if self._on:
            tf.profiler.experimental.stop()
            self._on = False


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
