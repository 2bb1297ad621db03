"""Snapshots as TensorBoard's data provider gives them back, whatever reads the event files."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorboard.data import provider

from tf_explainer.plugins.http import BadRequestError, NotStoredError

WRITE_ONE = (
    "run `python -m tf_explainer.evaluate` with the run's flags, or write a snapshot of your own by "
    "tf_explainer.plugins.parts.summary, and start TensorBoard on its directory"
)
_EVERY_STEP = 10_000
_KEPT_SEQUENCES = 256


class SnapshotReader:
    """Reads one plugin's tags.

    Args:
        data_provider: TensorBoard's.
        plugin_name: the one that wrote them.
    """

    def __init__(self, data_provider: Any, plugin_name: str) -> None:
        self._provider, self._plugin = data_provider, plugin_name
        self._sequences: OrderedDict[tuple[str, ...], dict[int, list[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def runs(self, ctx: Any, experiment: str, index_tag: str, version: int) -> dict[str, Any]:
        """Returns the steps of every run that have an index of that version, and how to write one."""
        found = self.tensors(ctx, experiment, index_tag)
        steps = {
            run: sorted(step for step, index in values.items() if _is_of_version(index, version))
            for run, values in found.items()
        }
        return {"runs": {run: kept for run, kept in steps.items() if kept}, "write_one": WRITE_ONE}

    def tensors(
        self, ctx: Any, experiment: str, tag: str, run: str | None = None
    ) -> dict[str, dict[int, np.ndarray]]:
        """Returns a tag's values, of any shape, by run and step; of all runs unless one is named."""
        read = self._read(ctx, experiment, [tag], None if run is None else [run])
        return {name: tags[tag] for name, tags in read.items() if tag in tags}

    def together(
        self, ctx: Any, experiment: str, run: str, tags: Sequence[str]
    ) -> tuple[dict[int, np.ndarray], ...]:
        """Returns the values, of any shape, of several tags of a run by step, read at once."""
        read = self._read(ctx, experiment, tags, [run]).get(run, {})
        return tuple(read.get(tag, {}) for tag in tags)

    def _read(
        self, ctx: Any, experiment: str, tags: Sequence[str], runs: Sequence[str] | None
    ) -> dict[str, dict[str, dict[int, np.ndarray]]]:
        read = self._provider.read_tensors(
            ctx,
            experiment_id=experiment,
            plugin_name=self._plugin,
            downsample=_EVERY_STEP,
            run_tag_filter=provider.RunTagFilter(runs=runs, tags=tags),
        )
        return {
            run: {tag: {datum.step: datum.numpy for datum in data} for tag, data in of_run.items()}
            for run, of_run in read.items()
        }

    def tensor(self, ctx: Any, experiment: str, run: str, tag: str, step: int) -> np.ndarray:
        """Returns one value, of any shape.

        Raises:
            NotStoredError: there is none.
        """
        steps = self.tensors(ctx, experiment, tag, run).get(run, {})
        if step not in steps:
            raise NotStoredError(_missing(tag, run, step, list(steps)))
        return steps[step]

    def json(self, ctx: Any, experiment: str, run: str, tag: str, step: int) -> Any:
        """Returns what a string scalar holds as JSON."""
        return parsed(self.tensor(ctx, experiment, run, tag, step))

    def blob(self, ctx: Any, experiment: str, run: str, tag: str, step: int, index: int) -> bytes:
        """Returns one blob of a sequence.

        Raises:
            NotStoredError: there is no such sequence.
            BadRequestError: it is shorter than that.
        """
        keys = self._keys(ctx, experiment, run, tag, step)
        if index >= len(keys):
            raise BadRequestError(
                f"{tag} of run {run!r} at step {step} has no number {index}: 0 to {len(keys) - 1}"
            )
        return self._provider.read_blob(ctx, blob_key=keys[index])

    def _keys(self, ctx: Any, experiment: str, run: str, tag: str, step: int) -> list[str]:
        series = experiment, run, tag
        with self._lock:
            kept = self._sequences.get(series, {}).get(step)
        if kept is not None:
            return kept
        read = self._provider.read_blob_sequences(
            ctx,
            experiment_id=experiment,
            plugin_name=self._plugin,
            downsample=_EVERY_STEP,
            run_tag_filter=provider.RunTagFilter(runs=[run], tags=[tag]),
        )
        data = read.get(run, {}).get(tag, [])
        steps = {datum.step: [reference.blob_key for reference in datum.values] for datum in data}
        if step not in steps:
            raise NotStoredError(_missing(tag, run, step, list(steps)))
        with self._lock:
            self._sequences[series] = steps
            while len(self._sequences) > _KEPT_SEQUENCES:
                self._sequences.popitem(last=False)
        return steps[step]


def parsed(value: np.ndarray) -> Any:
    """Returns what a string scalar holds as JSON."""
    return json.loads(value.item())


def _is_of_version(index: np.ndarray, version: int) -> bool:
    try:
        return parsed(index)["version"] == version
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def _missing(tag: str, run: str, step: int, steps: list[int]) -> str:
    if not steps:
        return f"run {run!r} has no {tag}: {WRITE_ONE}"
    return f"{tag} of run {run!r} is not stored at step {step}, but at {', '.join(map(str, steps[:20]))}"
