"""The one line that a person watches while the explainer is trained."""

from __future__ import annotations

import collections
import time
from typing import Any

import keras
import tqdm

from tf_explainer.training_step import IMAGES

# Steps over which the speed is averaged.
_WINDOW = 50
# What stands in the line, and under which name; reconstruction and filter losses under those of their layers.
_SHOWN = {"loss": "loss", "part_share": "p", "consistency": "consistency", "repulsion": "repulsion"}
_TERMS = ("reconstruction/", "filter/")


class ProgressLine(keras.callbacks.Callback):
    """Shows epoch, step, images a second, time left, the loss terms and p; validation below, epoch by epoch.

    Args:
        **options: as for `tqdm.tqdm`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = options
        self._epoch = 0
        # Time and images of the last steps.
        self._recent: collections.deque[tuple[float, float]] = collections.deque(maxlen=_WINDOW)

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the line."""
        self._bar = tqdm.tqdm(
            initial=self.params["first_step"],
            total=self.params["steps"] * self.params["epochs"],
            bar_format="{desc} step {n_fmt}/{total_fmt}, {remaining} left{postfix}",
            dynamic_ncols=True,
            **self._options,
        )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves on by a step."""
        self._recent.append((time.perf_counter(), logs[IMAGES]))
        self._bar.set_description_str(
            f"epoch {self._epoch}/{self.params['epochs']}, {self._speed()}", refresh=False
        )
        self._bar.set_postfix(shown(logs), refresh=False)
        self._bar.update(batch - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes what validation found, if it took place."""
        found = {name: value for name, value in logs.items() if name.startswith("validation/")}
        if found:
            measures = ", ".join(f"{name.removeprefix('validation/')} {v:.4g}" for name, v in found.items())
            self._bar.write(f"epoch {epoch}, held-out images: {measures}", file=self._options.get("file"))

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the line."""
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
