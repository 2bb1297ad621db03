"""The Explained images plugin's server: what `images.metadata` describes, over HTTP.

All addresses are below `/data/plugin/part_images/`, for reading. The Parts plugin has crops and maps.

| address | arguments | answer |
| --- | --- | --- |
| `runs` | | JSON: `{"runs": {RUN: [STEP, ...]}, "skipped": {RUN: [TEXT, ...]}, "write_one": TEXT}` |
| `index` | run, step | JSON, see `images.summary.ImageScores.index` |
| `contributions` | run, step, image | `[K, F]` float32, of the image's K classes |
| `tracks` | run, step, track (0: interpretable, 1: ordinary; 2, 3: of the second class) | `[N, L, L]` int8 |
| `static/FILE` | | the front end |

400: an argument is missing or wrong; 404: it is not stored, or damaged; both say what to do, as plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import BYTES, Answer, Arguments, BadRequestError, route, where
from tf_explainer.plugins.images import metadata
from tf_explainer.plugins.index_check import check_images
from tf_explainer.plugins.snapshot_plugin import SnapshotLoader, SnapshotPlugin


class ImagesPlugin(SnapshotPlugin):
    """Serves what decides images."""

    plugin_name = metadata.PLUGIN_NAME
    metadata = metadata
    script, tab_name = "images.js", "Explained images"
    check_index = staticmethod(check_images)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return super().get_plugin_apps() | {
            "/contributions": self._contributions,
            "/tracks": self._tracks,
        }

    @route
    def _contributions(self, request: Any, arguments: Arguments) -> Answer:
        run, step, image = arguments.text("run"), arguments.number("step"), arguments.number("image")
        values = stored_values.table(self._reader.tensor(*where(request), run, metadata.CONTRIBUTIONS, step))
        if image >= len(values):
            raise BadRequestError(f"there is no image {image}: 0 to {len(values) - 1}")
        return values[image].tobytes(), BYTES

    @route
    def _tracks(self, request: Any, arguments: Arguments) -> Answer:
        run, step, track = arguments.text("run"), arguments.number("step"), arguments.number("track")
        content = self._reader.blob(*where(request), run, metadata.TRACKS, step, track)
        return stored_values.gzip_stream(content), BYTES


class ImagesLoader(SnapshotLoader):
    """Loads the plugin, with every step."""

    plugin = ImagesPlugin
