"""What a training leaves for TensorBoard: scalars, histograms, hyper-parameters and a profile."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from tf_explainer.training.training_step import IMAGES, STOPPING


class TensorBoardSummaries(keras.callbacks.Callback):
    """Writes the loss terms after every step, the validation and the weights' histograms after every epoch.

    Args:
        directory: of the event files.
        settings: hyper-parameters, for the HParams tab.
    """

    def __init__(self, directory: str, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._directory, self._settings = directory, dict(settings)

    def on_train_begin(self, logs: Any = None) -> None:
        """Opens the event file; the curves of a training that this one replaces are removed."""
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
        hidden = (IMAGES, STOPPING)
        with self._writer.as_default(batch):
            for name, value in logs.items():
                if name not in hidden and not name.startswith("gradient_square/"):
                    tf.summary.scalar(name, value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the validation and the histograms, by step, so that they stand beside the loss."""
        with self._writer.as_default(self._step):
            for name, value in logs.items():
                if name.startswith("validation/"):
                    tf.summary.scalar(name, value)
            for weight in self.model.weights:
                tf.summary.histogram(f"weights/{weight.path}", keras.ops.convert_to_numpy(weight))
        self._writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the event file."""
        self._writer.close()


class StepProfile(keras.callbacks.Callback):
    """Records some steps for TensorBoard's profiler.

    Args:
        directory: of the event files.
        steps: the first and the last step.
    """

    def __init__(self, directory: str, steps: Sequence[int]) -> None:
        super().__init__()
        self._directory = directory
        self._first, self._last = steps
        self._on = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Starts behind the step before the first one, ends behind the last one."""
        if batch == self._first - 1:
            self._start()
        elif batch == self._last:
            self._end()

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts where the first step is the first of all."""
        if self.params["first_step"] == self._first - 1:
            self._start()

    def on_train_end(self, logs: Any = None) -> None:
        """Ends, if the training had fewer steps."""
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
