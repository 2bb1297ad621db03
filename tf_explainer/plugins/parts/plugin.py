"""The server of the Parts plugin: serves the data described in `parts.metadata`.

All addresses are below `/data/plugin/parts/`, and read-only. `run` and `step` name a snapshot.

| address | arguments | answer |
| --- | --- | --- |
| `runs` | | JSON: `runs` {RUN: [STEP, ...]}, `written` {RUN: [SECONDS, ...]}, `skipped` {RUN: [TEXT, ...]} |
| `index` | run, step | JSON, see `parts.snapshot.Snapshot.index` |
| `figures` | run, step, layer | `[F, M]` float32 |
| `history` | run, layer, filter | JSON: `steps`, `skipped`, and per step the `figures` (keys) and `values` |
| `peaks`, `tops` | run, step, layer | see `parts.metadata` |
| `maps` | run, step, layer, filter | `[N, L, L]` uint8 |
| `part_maps` | run, step, layer, group | `[N, L, L]` uint8, of a part, in 1/255 of its highest value |
| `crop` | run, step, image | JPEG |
| `sprite` | run, step, sheet | JPEG |
| `static/FILE` | | the front end |

400: an argument is missing or wrong; 404: the data is not stored, or damaged. Both say what to do, as plain
text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import (
    BYTES,
    Answer,
    Arguments,
    BadRequestError,
    NotStoredError,
    as_json,
    compressed,
    route,
    where,
)
from tf_explainer.plugins.index_check import check_parts
from tf_explainer.plugins.parts import metadata, stored_part_maps
from tf_explainer.plugins.snapshot_plugin import SnapshotLoader, SnapshotPlugin
from tf_explainer.plugins.stored_values import DamagedError


class PartsPlugin(SnapshotPlugin):
    """Serves snapshots."""

    plugin_name = metadata.PLUGIN_NAME
    metadata = metadata
    script, tab_name = "parts/parts.js", "Parts"
    check_index = staticmethod(check_parts)

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        """Returns the WSGI applications by address."""
        return super().get_plugin_apps() | {
            "/figures": self._figures,
            "/history": self._history,
            "/peaks": self._peaks,
            "/tops": self._tops,
            "/maps": self._maps,
            "/part_maps": self._part_maps,
            "/crop": self._crop,
            "/sprite": self._sprite,
        }

    @route
    def _figures(self, request: Any, arguments: Arguments) -> Answer:
        run, step = arguments.text("run"), arguments.number("step")
        tag = metadata.layer_tag(metadata.FIGURES, arguments.text("layer"))
        values = stored_values.table(self._reader.tensor(*where(request), run, tag, step))
        return compressed(values.tobytes()), BYTES

    @route
    def _history(self, request: Any, arguments: Arguments) -> Answer:
        run, layer, number = arguments.text("run"), arguments.text("layer"), arguments.number("filter")
        tags = [metadata.layer_tag(kind, layer) for kind in (metadata.FIGURES, metadata.KEYS)]
        figures, keys = self._reader.together(*where(request), run, tags)
        kept: dict[int, tuple[list[str], np.ndarray]] = {}
        skipped = {}
        for step in sorted(figures.keys() & keys.keys()):
            try:
                kept[step] = stored_values.texts(keys[step]), stored_values.table(figures[step])
            except DamagedError as error:
                skipped[step] = str(error)
        if any(number >= len(values) for _, values in kept.values()):
            raise BadRequestError(f"layer {layer!r} has no filter {number}")
        return as_json(
            {
                "steps": list(kept),
                "figures": [names for names, _ in kept.values()],
                "values": [[_finite(value) for value in values[number]] for _, values in kept.values()],
                "skipped": skipped,
            }
        )

    @route
    def _peaks(self, request: Any, arguments: Arguments) -> Answer:
        return self._of_layer(request, arguments, metadata.PEAKS), BYTES

    @route
    def _tops(self, request: Any, arguments: Arguments) -> Answer:
        return self._of_layer(request, arguments, metadata.TOPS), BYTES

    @route
    def _maps(self, request: Any, arguments: Arguments) -> Answer:
        return self._of_layer(request, arguments, metadata.MAPS, arguments.number("filter")), BYTES

    @route
    def _part_maps(self, request: Any, arguments: Arguments) -> Answer:
        run, step, layer = arguments.text("run"), arguments.number("step"), arguments.text("layer")
        group = arguments.number("group")
        # Cached, because every view requests these, and averaging reads the maps of all filters.
        key = (where(request)[1], run, step, layer, group)
        return self._reader.made(key, lambda: self._maps_of_part(request, run, step, layer, group)), BYTES

    def _maps_of_part(self, request: Any, run: str, step: int, layer: str, group: int) -> bytes:
        tag = metadata.layer_tag(metadata.PART_MAPS, layer)
        try:
            return stored_values.gzip_stream(self._reader.blob(*where(request), run, tag, step, group))
        except NotStoredError:
            return self._average(request, run, step, layer, group)

    def _average(self, request: Any, run: str, step: int, layer: str, group: int) -> bytes:
        figures, keys = (
            self._reader.tensor(*where(request), run, metadata.layer_tag(kind, layer), step)
            for kind in (metadata.FIGURES, metadata.KEYS)
        )
        filters = stored_part_maps.members(figures, keys, group)
        peaks = self._reader.blob(*where(request), run, metadata.layer_tag(metadata.PEAKS, layer), step, 0)
        tag = metadata.layer_tag(metadata.MAPS, layer)
        loudness = stored_part_maps.mean_peaks(peaks, len(figures))

        def stream_of(f: int) -> bytes:
            return self._reader.blob(*where(request), run, tag, step, f)

        return stored_part_maps.averaged(filters, loudness, stream_of)

    @route
    def _crop(self, request: Any, arguments: Arguments) -> Answer:
        return self._picture(request, arguments, metadata.CROPS, arguments.number("image")), "image/jpeg"

    @route
    def _sprite(self, request: Any, arguments: Arguments) -> Answer:
        return self._picture(request, arguments, metadata.SPRITES, arguments.number("sheet")), "image/jpeg"

    def _of_layer(self, request: Any, arguments: Arguments, kind: str, number: int = 0) -> bytes:
        tag = metadata.layer_tag(kind, arguments.text("layer"))
        run, step = arguments.text("run"), arguments.number("step")
        return stored_values.gzip_stream(self._reader.blob(*where(request), run, tag, step, number))

    def _picture(self, request: Any, arguments: Arguments, tag: str, number: int) -> bytes:
        run, step = arguments.text("run"), arguments.number("step")
        return stored_values.jpeg(self._reader.blob(*where(request), run, tag, step, number))


class PartsLoader(SnapshotLoader):
    """Loads the plugin."""

    plugin = PartsPlugin


def _finite(value: np.floating) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
