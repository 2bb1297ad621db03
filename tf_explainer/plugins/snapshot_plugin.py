"""What the servers of both tabs share: the runs, each snapshot's index, and the front end's files."""

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
    """Serves snapshots; a subclass adds the addresses of its own.

    Args:
        context: TensorBoard's.
    """

    metadata: types.ModuleType
    """The names that the plugin has in the event files."""
    script: str
    """The module in `web/` that draws the tab."""
    check_index: Callable[[Any], None]
    """Raises a DamagedError if an index lacks what the tab draws."""
    tab_name: str

    def __init__(self, context: base_plugin.TBContext) -> None:
        super().__init__(context)
        self._reader = SnapshotReader(context.data_provider, self.metadata.PLUGIN_NAME, context.multiplexer)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return static_routes() | {"/runs": self._runs, "/index": self._index}

    def is_active(self) -> bool:
        """Leaves it to TensorBoard's core, which looks for data of this plugin."""
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
    """Keeps every step: TensorBoard would sample ten of them."""

    plugin: type[SnapshotPlugin]

    def fix_flags(self, flags: Any) -> None:
        """Turns sampling off for this plugin, unless the person chose a number."""
        flags.samples_per_plugin.setdefault(self.plugin.plugin_name, 0)

    def load(self, context: base_plugin.TBContext) -> SnapshotPlugin:
        """Makes the plugin."""
        return self.plugin(context)
