"""The progress line in the terminal during training."""

from __future__ import annotations

import collections
import time
from typing import Any, TextIO

import keras

from tf_explainer.progress_bar import ProgressBar
from tf_explainer.training.training_step import IMAGES
from tf_explainer.training.validation import PREFIX

# Steps over which the speed is averaged.
_WINDOW = 50
# Names of the values in the line; reconstruction and filter losses are shown by the names of their layers.
_SHOWN = {"loss": "loss", "part_share": "p", "prototype": "prototype", "consensus": "consensus"}
_TERMS = ("reconstruction/", "filter/")


class ProgressLine(keras.callbacks.Callback):
    """Shows epoch, step, speed, time left, loss terms and p; below, each epoch's validation measures.

    Args:
        file: the output; None for standard error.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        super().__init__()
        self._file = file
        self._bar: Any = None
        # Times and numbers of images of the last steps.
        self._recent: collections.deque[tuple[float, float]] = collections.deque(maxlen=_WINDOW)

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the line."""
        self._bar = ProgressBar(
            "training",
            self.params["total_steps"],
            unit="steps",
            file=self._file,
            initial=self.params["first_step"],
        )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Shows the epoch and updates the total number of steps."""
        epochs = self.params["epochs"]
        self._bar.set_description_str(f"epoch {epoch + 1}" + (f"/{epochs}" if epochs else ""), refresh=False)
        self._bar.total = self.params["total_steps"]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Advances by a step."""
        self._recent.append((time.perf_counter(), logs[IMAGES]))
        self._bar.speed = self._speed()
        self._bar.set_postfix(shown(logs), refresh=False)
        self._bar.update(batch - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the validation measures, if there are any."""
        measures = {
            name.removeprefix(PREFIX): value for name, value in logs.items() if name.startswith(PREFIX)
        }
        if measures:
            # The total loss comes first; terms that are switched off are 0 and left out.
            names = sorted(
                (name for name, value in measures.items() if value), key=lambda name: name != "loss"
            )
            text = ", ".join(f"{name} {measures[name]:.4g}" for name in names)
            self._bar.note(f"epoch {epoch}, held-out images: {text}")

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the line."""
        self._bar.total = self.params["total_steps"]
        self.close()

    def close(self) -> None:
        """Ends the line so that other output can follow."""
        if self._bar is not None:
            self._bar.close()

    def _speed(self) -> str:
        # The first step includes the compilation, so it only marks the start of the window.
        seconds = self._recent[-1][0] - self._recent[0][0]
        images = sum(images for _, images in list(self._recent)[1:])
        return f"{images / seconds:.1f} images/s" if seconds else "compiling"


def shown(values: dict[str, float]) -> dict[str, str]:
    """Returns a step's loss terms and p, formatted, under names short enough for one line."""
    first = {short: values[name] for name, short in _SHOWN.items() if name in values}
    terms = {name.split("/")[-1]: value for name, value in values.items() if name.startswith(_TERMS)}
    return {name: f"{value:.3g}" for name, value in (first | terms).items()}
