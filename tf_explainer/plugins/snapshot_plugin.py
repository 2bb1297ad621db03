"""The common server of both tabs: serves the runs, the index of each snapshot, and the front end's files."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from tensorboard.plugins import base_plugin

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.front_end import static_routes
from tf_explainer.plugins.http import Answer, Arguments, as_json, route, where
from tf_explainer.plugins.index_check import check_version
from tf_explainer.plugins.snapshot_reader import SnapshotReader


class SnapshotPlugin(base_plugin.TBPlugin):
    """Serves snapshots; subclasses add further addresses.

    Args:
        context: from TensorBoard.
    """

    metadata: types.ModuleType
    """The plugin's names in the event files."""
    script: str
    """The module in `web/` that draws the tab."""
    check_index: Callable[[Any], None]
    """Raises a DamagedError if an index lacks what the tab needs."""
    tab_name: str

    def __init__(self, context: base_plugin.TBContext) -> None:
        super().__init__(context)
        self._reader = SnapshotReader(context.data_provider, self.metadata.PLUGIN_NAME, context.multiplexer)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return static_routes() | {"/runs": self._runs, "/index": self._index}

    def is_active(self) -> bool:
        """Returns False: TensorBoard's core then looks for data of this plugin itself."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Names the module that draws the tab."""
        return base_plugin.FrontendMetadata(es_module_path=f"/static/{self.script}", tab_name=self.tab_name)

    @route
    def _runs(self, request: Any, arguments: Arguments) -> Answer:
        del arguments
        return as_json(self._reader.runs(*where(request), self.metadata.INDEX, self._check))

    @route
    def _index(self, request: Any, arguments: Arguments) -> Answer:
        run, step = arguments.text("run"), arguments.number("step")
        index = stored_values.plain(self._reader.tensor(*where(request), run, self.metadata.INDEX, step))
        self._check(index)
        return as_json(index)

    def _check(self, index: Any) -> None:
        check_version(index, self.metadata.FORMAT_VERSION)
        self.check_index(index)


class SnapshotLoader(base_plugin.TBLoader):
    """Loads a plugin and keeps every step, of which TensorBoard would sample ten."""

    plugin: type[SnapshotPlugin]

    def fix_flags(self, flags: Any) -> None:
        """Turns off sampling for this plugin, unless the user has set a number."""
        flags.samples_per_plugin.setdefault(self.plugin.plugin_name, 0)

    def load(self, context: base_plugin.TBContext) -> SnapshotPlugin:
        """Creates the plugin."""
        return self.plugin(context)
