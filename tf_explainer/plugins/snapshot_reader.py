"""Reads snapshots through TensorBoard's data provider, with its fast or its slow loader."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tensorboard import errors
from tensorboard.data import provider

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import BadRequestError, NotStoredError
from tf_explainer.plugins.stored_values import DamagedError

WRITE_ONE = (
    "run `python -m tf_explainer.evaluate` with the run's flags, or write your own snapshot with "
    "tf_explainer.plugins.parts.summary, and start TensorBoard on its directory"
)
_EVERY_STEP = 10_000
_KEPT_SEQUENCES = 256
_KEPT_MADE = 64
_LARGEST_TENSOR = 1 << 27
_NOT_PLAIN = (
    "TensorBoard's fast loader cannot read pictures of runs with \" or \\ in their names: "
    "start TensorBoard with --load_fast=false, or rename the directory"
)


class SnapshotReader:
    """Reads the tags of one plugin.

    Args:
        data_provider: from TensorBoard.
        plugin_name: of the plugin that wrote the tags.
        multiplexer: holds the values of the slow loader; None with the fast loader.
    """

    def __init__(self, data_provider: Any, plugin_name: str, multiplexer: Any = None) -> None:
        self._provider, self._plugin, self._multiplexer = data_provider, plugin_name, multiplexer
        self._sequences: OrderedDict[tuple[str, ...], dict[int, list[str]]] = OrderedDict()
        self._made: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._written: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def runs(self, ctx: Any, experiment: str, index_tag: str, check: Callable[[Any], None]) -> dict[str, Any]:
        """Returns the steps of every run whose index passes `check`, their times, and what was skipped."""
        runs: dict[str, list[int]] = {}
        written: dict[str, list[float]] = {}
        skipped: dict[str, list[str]] = {}
        for run, values in self._data_of_runs(ctx, experiment, index_tag, skipped).items():
            if self._multiplexer is None and not _is_plain(run):
                skipped[run] = [_NOT_PLAIN]
                continue
            for step, datum in sorted(values.items()):
                try:
                    check(stored_values.plain(datum.numpy))
                    runs.setdefault(run, []).append(step)
                    written.setdefault(run, []).append(_finite(datum.wall_time))
                except DamagedError as error:
                    skipped.setdefault(run, []).append(f"step {step}: {error}")
        with self._lock:
            if written != self._written:
                # A run may have been rewritten, with other blobs.
                self._sequences.clear()
                self._made.clear()
                self._written = written
        return {"runs": runs, "written": written, "skipped": skipped, "write_one": WRITE_ONE}

    def _data_of_runs(
        self, ctx: Any, experiment: str, tag: str, skipped: dict[str, list[str]]
    ) -> dict[str, dict[int, Any]]:
        try:
            return self._data(ctx, experiment, tag)
        except DamagedError:
            # The provider fails at the first unreadable value: read run by run to find out which run has it.
            listed = self._provider.list_tensors(
                ctx,
                experiment_id=experiment,
                plugin_name=self._plugin,
                run_tag_filter=provider.RunTagFilter(tags=[tag]),
            )
        found: dict[str, dict[int, Any]] = {}
        for run in listed:
            try:
                found |= self._data(ctx, experiment, tag, run)
            except DamagedError as error:
                skipped[run] = [str(error)]
        return found

    def _data(self, ctx: Any, experiment: str, tag: str, run: str | None = None) -> dict[str, dict[int, Any]]:
        """Returns the data of a tag by run and step; of all runs if `run` is None."""
        read = self._read(ctx, experiment, [tag], None if run is None else [run])
        return {name: tags[tag] for name, tags in read.items() if tag in tags}

    def together(
        self, ctx: Any, experiment: str, run: str, tags: Sequence[str]
    ) -> tuple[dict[int, np.ndarray], ...]:
        """Returns the values, of any shape, of several tags of a run by step, in one read."""
        read = self._read(ctx, experiment, tags, [run]).get(run, {})
        return tuple({step: datum.numpy for step, datum in read.get(tag, {}).items()} for tag in tags)

    def _read(
        self, ctx: Any, experiment: str, tags: Sequence[str], runs: Sequence[str] | None
    ) -> dict[str, dict[str, dict[int, Any]]]:
        read = self._ask(self._provider.read_tensors, ctx, experiment, tags, runs)
        return {
            run: {tag: {datum.step: datum for datum in data} for tag, data in of_run.items()}
            for run, of_run in read.items()
        }

    def _ask(
        self, read: Any, ctx: Any, experiment: str, tags: Sequence[str], runs: Sequence[str] | None
    ) -> Any:
        self._check_sizes(tags, runs)
        try:
            return read(
                ctx,
                experiment_id=experiment,
                plugin_name=self._plugin,
                downsample=_EVERY_STEP,
                run_tag_filter=provider.RunTagFilter(runs=runs, tags=tags),
            )
        except errors.PublicError:
            raise
        except Exception as error:
            # TensorBoard decodes stored data without checking it, which can raise anything.
            raise DamagedError(f"{', '.join(tags)} cannot be decoded: {str(error)[:200]}") from error

    def _check_sizes(self, tags: Sequence[str], runs: Sequence[str] | None) -> None:
        # The slow loader would create a key for each blob, and allocate each number, that a shape claims.
        if self._multiplexer is None:
            return
        for run in self._multiplexer.Runs() if runs is None else runs:
            for tag in tags:
                for event in self._stored(run, tag):
                    size = math.prod(abs(dim.size) for dim in event.tensor_proto.tensor_shape.dim)
                    if size > _LARGEST_TENSOR:
                        raise DamagedError(f"{tag} of run {run!r} at step {event.step} claims {size} values")

    def _stored(self, run: str, tag: str) -> Sequence[Any]:
        try:
            return list(self._multiplexer.Tensors(run, tag))
        except KeyError:
            return ()

    def tensor(self, ctx: Any, experiment: str, run: str, tag: str, step: int) -> np.ndarray:
        """Returns one value, of any shape.

        Raises:
            NotStoredError: it is not stored.
        """
        steps = self._data(ctx, experiment, tag, run).get(run, {})
        if step not in steps:
            raise NotStoredError(_missing(tag, run, step, list(steps)))
        return np.asarray(steps[step].numpy)

    def blob(self, ctx: Any, experiment: str, run: str, tag: str, step: int, index: int) -> bytes:
        """Returns one blob of a sequence.

        Raises:
            NotStoredError: there is no such sequence.
            BadRequestError: the sequence is shorter.
        """
        if self._multiplexer is not None:
            return self._stored_blob(run, tag, step, index)
        keys = self._keys(ctx, experiment, run, tag, step)
        _check_number(tag, run, step, index, len(keys))
        try:
            content = self._provider.read_blob(ctx, blob_key=keys[index])
        except errors.PublicError:
            raise
        except Exception as error:
            raise DamagedError(f"{tag} cannot be decoded: {str(error)[:200]}") from error
        if not isinstance(content, bytes):
            raise DamagedError(f"{tag} is not bytes")
        return content

    def made(self, key: tuple[Any, ...], make: Callable[[], bytes]) -> bytes:
        """Returns content computed from blobs; caches the latest few until a run is rewritten.

        Args:
            key: identifies the content: the experiment, the run, ...
            make: computes the content.
        """
        with self._lock:
            content = self._made.get(key)
            written = self._written
        if content is None:
            content = make()
            with self._lock:
                if written is self._written:
                    self._made[key] = content
                while len(self._made) > _KEPT_MADE:
                    self._made.popitem(last=False)
        return content

    def _stored_blob(self, run: str, tag: str, step: int, index: int) -> bytes:
        stored = self._stored(run, tag)
        # A rewritten directory has a step twice, of which TensorBoard would read the older one.
        proto = next((event.tensor_proto for event in reversed(stored) if event.step == step), None)
        if proto is None:
            raise NotStoredError(_missing(tag, run, step, sorted({event.step for event in stored})))
        if not proto.string_val:
            raise DamagedError(f"{tag} is not bytes")
        _check_number(tag, run, step, index, len(proto.string_val))
        return bytes(proto.string_val[index])

    def _keys(self, ctx: Any, experiment: str, run: str, tag: str, step: int) -> list[str]:
        series = experiment, run, tag
        with self._lock:
            kept = self._sequences.get(series, {}).get(step)
        if kept is not None:
            return kept
        read = self._ask(self._provider.read_blob_sequences, ctx, experiment, [tag], [run])
        data = read.get(run, {}).get(tag, [])
        steps = {datum.step: [reference.blob_key for reference in datum.values] for datum in data}
        if step not in steps:
            raise NotStoredError(_missing(tag, run, step, list(steps)))
        with self._lock:
            self._sequences[series] = steps
            while len(self._sequences) > _KEPT_SEQUENCES:
                self._sequences.popitem(last=False)
        return steps[step]


def _is_plain(run: str) -> bool:
    """Returns whether the fast loader can read a run's blobs: its name must not need escapes in JSON."""
    return json.dumps(run, ensure_ascii=False) == f'"{run}"'


def _finite(time: float) -> float:
    return time if math.isfinite(time) else 0.0


def _check_number(tag: str, run: str, step: int, index: int, count: int) -> None:
    if index >= count:
        raise BadRequestError(f"{tag} of run {run!r} at step {step} has only numbers 0 to {count - 1}")


def _missing(tag: str, run: str, step: int, steps: list[int]) -> str:
    if not steps:
        return f"run {run!r} has no {tag}: {WRITE_ONE}"
    return f"{tag} of run {run!r} is not stored at step {step}, only at {', '.join(map(str, steps[:20]))}"
