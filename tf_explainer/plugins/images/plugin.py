"""The server of the Explained images plugin: serves the data described in `images.metadata`.

All addresses are below `/data/plugin/part_images/`, and read-only. The Parts plugin serves crops and maps.

| address | arguments | answer |
| --- | --- | --- |
| `runs` | | JSON: `runs` {RUN: [STEP, ...]}, `written` {RUN: [SECONDS, ...]}, `skipped` {RUN: [TEXT, ...]} |
| `index` | run, step | JSON, see `images.summary.ImageScores.index` |
| `contributions` | run, step, image | `[K, F]` float32, to the image's K classes |
| `lost` | run, step, image | `[K, P + 1]` float32, drop of K scores without each part and ordinary track |
| `means` | run, step | `[C, F]` float32, mean contributions to each of the C named classes, in rising order |
| `tracks` | run, step, track (0: interpretable, 1: ordinary; 2, 3: of the second class) | `[N, L, L]` int8 |
| `static/FILE` | | the front end |

400: an argument is missing or wrong; 404: the data is not stored, or damaged. Both say what to do, as plain
text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import BYTES, Answer, Arguments, BadRequestError, route, where
from tf_explainer.plugins.images import metadata
from tf_explainer.plugins.index_check import check_images
from tf_explainer.plugins.snapshot_plugin import SnapshotLoader, SnapshotPlugin
from tf_explainer.plugins.stored_values import DamagedError

# A damaged file can hold numbers that NumPy's integers cannot.
_LARGEST_LABEL = 1_000_000


class ImagesPlugin(SnapshotPlugin):
    """Serves contributions to the scores of images."""

    plugin_name = metadata.PLUGIN_NAME
    metadata = metadata
    script, tab_name = "images/images.js", "Explained images"
    check_index = staticmethod(check_images)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return super().get_plugin_apps() | {
            "/contributions": self._contributions,
            "/lost": self._lost,
            "/means": self._means,
            "/tracks": self._tracks,
        }

    @route
    def _contributions(self, request: Any, arguments: Arguments) -> Answer:
        return self._of_image(request, arguments, metadata.CONTRIBUTIONS), BYTES

    @route
    def _lost(self, request: Any, arguments: Arguments) -> Answer:
        return self._of_image(request, arguments, metadata.LOST), BYTES

    def _of_image(self, request: Any, arguments: Arguments, tag: str) -> bytes:
        run, step, image = arguments.text("run"), arguments.number("step"), arguments.number("image")
        values = stored_values.table(self._reader.tensor(*where(request), run, tag, step))
        if image >= len(values):
            raise BadRequestError(f"there is no image {image}: 0 to {len(values) - 1}")
        return values[image].tobytes()

    @route
    def _means(self, request: Any, arguments: Arguments) -> Answer:
        run, step = arguments.text("run"), arguments.number("step")
        index = stored_values.plain(self._reader.tensor(*where(request), run, metadata.INDEX, step))
        self._check(index)
        values = stored_values.table(self._reader.tensor(*where(request), run, metadata.CONTRIBUTIONS, step))
        return _means_by_class(index["classes"], values, 1 + len(index["others"])).tobytes(), BYTES

    @route
    def _tracks(self, request: Any, arguments: Arguments) -> Answer:
        run, step, track = arguments.text("run"), arguments.number("step"), arguments.number("track")
        content = self._reader.blob(*where(request), run, metadata.TRACKS, step, track)
        return stored_values.gzip_stream(content), BYTES


def _means_by_class(classes: list[Any], contributions: np.ndarray, ranks: int) -> np.ndarray:
    """Averages each filter's contributions to a class over the images on which the performer names it."""
    if len(classes) != len(contributions) or contributions.shape[1] % ranks:
        raise DamagedError(f"contributions of shape {list(contributions.shape)} for {len(classes)} images")
    if not all(type(label) is int and 0 <= label < _LARGEST_LABEL for label in classes):
        raise DamagedError("its classes are not whole numbers")
    named = np.array(classes, int)
    first = contributions[:, : contributions.shape[1] // ranks].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        means = [first[named == label].mean(axis=0) for label in np.unique(named)]
        return np.stack(means).astype("<f4") if means else np.zeros((0, first.shape[1]), "<f4")


class ImagesLoader(SnapshotLoader):
    """Loads the plugin."""

    plugin = ImagesPlugin
