"""The one line that a person watches while the explainer is trained."""

from __future__ import annotations

import collections
import time
from typing import Any, TextIO

import keras

from tf_explainer.progress_bar import ProgressBar
from tf_explainer.training.training_step import IMAGES

# Steps over which the speed is averaged.
_WINDOW = 50
# What stands in the line, and under which name; reconstruction and filter losses under those of their layers.
_SHOWN = {"loss": "loss", "part_share": "p", "prototype": "prototype", "consensus": "consensus"}
_TERMS = ("reconstruction/", "filter/")


class ProgressLine(keras.callbacks.Callback):
    """Shows epoch, step, images a second, time left, the loss terms and p; validation below, epoch by epoch.

    Args:
        file: where to write; None: the error output.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        super().__init__()
        self._file = file
        self._bar: Any = None
        # Time and images of the last steps.
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
        """Notes the epoch, and how many steps there are going to be."""
        epochs = self.params["epochs"]
        self._bar.set_description_str(f"epoch {epoch + 1}" + (f"/{epochs}" if epochs else ""), refresh=False)
        self._bar.total = self.params["total_steps"]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves on by a step."""
        self._recent.append((time.perf_counter(), logs[IMAGES]))
        self._bar.speed = self._speed()
        self._bar.set_postfix(shown(logs), refresh=False)
        self._bar.update(batch - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes what validation found, if it took place."""
        found = {
            name.removeprefix("validation/"): value
            for name, value in logs.items()
            if name.startswith("validation/")
        }
        if found:
            # Terms that are switched off are 0. The loss, which is their sum, stands in front.
            told = sorted((name for name, value in found.items() if value), key=lambda name: name != "loss")
            measures = ", ".join(f"{name} {found[name]:.4g}" for name in told)
            self._bar.note(f"epoch {epoch}, held-out images: {measures}")

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the line."""
        self._bar.total = self.params["total_steps"]
        self.close()

    def close(self) -> None:
        """Leaves the line as it is, for other output to follow."""
        if self._bar is not None:
            self._bar.close()

    def _speed(self) -> str:
        # The first step takes the time of compiling; the window begins behind it.
        seconds = self._recent[-1][0] - self._recent[0][0]
        images = sum(images for _, images in list(self._recent)[1:])
        return f"{images / seconds:.1f} images/s" if seconds else "compiling"


def shown(values: dict[str, float]) -> dict[str, str]:
    """Returns a step's loss terms and p under names short enough for one line."""
    first = {short: values[name] for name, short in _SHOWN.items() if name in values}
    terms = {name.split("/")[-1]: value for name, value in values.items() if name.startswith(_TERMS)}
    return {name: f"{value:.3g}" for name, value in (first | terms).items()}
