"""The Explained images plugin's server: what `images.metadata` describes, over HTTP.

All addresses are below `/data/plugin/part_images/`, for reading. The Parts plugin has crops and maps.

| address | arguments | answer |
| --- | --- | --- |
| `runs` | | JSON: `{"runs": {RUN: [STEP, ...]}, "write_one": TEXT}` |
| `index` | run, step | JSON, see `images.summary.ImageScores.index` |
| `contributions` | run, step, image | `[K, F]` float32, of the image's K classes |
| `tracks` | run, step, track (0: interpretable, 1: ordinary; 2, 3: of the second class) | `[N, L, L]` int8 |
| `static/FILE` | | the front end |

400: an argument is missing or wrong; 404: it is not stored; both say what to do, as plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorboard.plugins import base_plugin

from tf_explainer.plugins.images import metadata
from tf_explainer.plugins.requests import BYTES, Answer, Arguments, BadRequestError, as_json, route, where
from tf_explainer.plugins.snapshot_reader import SnapshotReader
from tf_explainer.plugins.static_files import static_routes


class ImagesPlugin(base_plugin.TBPlugin):
    """Serves what decides images.

    Args:
        context: TensorBoard's.
    """

    plugin_name = metadata.PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        super().__init__(context)
        self._reader = SnapshotReader(context.data_provider, metadata.PLUGIN_NAME)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return static_routes() | {
            "/runs": self._runs,
            "/index": self._index,
            "/contributions": self._contributions,
            "/tracks": self._tracks,
        }

    def is_active(self) -> bool:
        """Leaves it to TensorBoard's core, which looks for data of this plugin."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Names the module that draws the tab."""
        return base_plugin.FrontendMetadata(es_module_path="/static/images.js", tab_name="Explained images")

    @route
    def _runs(self, request: Any, arguments: Arguments) -> Answer:
        del arguments
        return as_json(self._reader.runs(*where(request), metadata.INDEX, metadata.FORMAT_VERSION))

    @route
    def _index(self, request: Any, arguments: Arguments) -> Answer:
        run, step = arguments.text("run"), arguments.number("step")
        return as_json(self._reader.json(*where(request), run, metadata.INDEX, step))

    @route
    def _contributions(self, request: Any, arguments: Arguments) -> Answer:
        run, step, image = arguments.text("run"), arguments.number("step"), arguments.number("image")
        values = self._reader.tensor(*where(request), run, metadata.CONTRIBUTIONS, step)
        if image >= len(values):
            raise BadRequestError(f"there is no image {image}: 0 to {len(values) - 1}")
        return values[image].astype("<f4").tobytes(), BYTES

    @route
    def _tracks(self, request: Any, arguments: Arguments) -> Answer:
        run, step, track = arguments.text("run"), arguments.number("step"), arguments.number("track")
        return self._reader.blob(*where(request), run, metadata.TRACKS, step, track), BYTES


class ImagesLoader(base_plugin.TBLoader):
    """Keeps every step: TensorBoard would sample ten of them."""

    def fix_flags(self, flags: Any) -> None:
        """Turns sampling off for this plugin, unless the person chose a number."""
        flags.samples_per_plugin.setdefault(metadata.PLUGIN_NAME, 0)

    def load(self, context: base_plugin.TBContext) -> ImagesPlugin:
        """Makes the plugin."""
        return ImagesPlugin(context)
