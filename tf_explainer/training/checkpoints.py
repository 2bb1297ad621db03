"""Checkpoints of a training: each a directory that appears whole or not at all.

`checkpoints/epoch-0003-batch-000017/` holds `variables.*` (every variable, as TensorFlow writes them) and
`state.json` (where in the epochs the training stands). It is written under a temporary name and renamed when
all of it is on the disk, so a directory of that name is whole whenever the process or the machine died.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

import tensorflow as tf

from tf_explainer.errors import UserError

_UNFINISHED = ".unfinished-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands; with the seed this also says which images come next.

    Attributes:
        epochs: whole epochs behind it.
        batches: batches of the epoch under way behind it.
        step: optimizer steps in all.
        best: epochs and value of the best measure so far, or None.
    """

    epochs: int = 0
    batches: int = 0
    step: int = 0
    best: tuple[int, float] | None = None

    @property
    def name(self) -> str:
        """Name of the checkpoint; names sort by time."""
        return f"epoch-{self.epochs:04d}-batch-{self.batches:06d}"


class Checkpoints:
    """The checkpoints of one training.

    Args:
        directory: where they lie, local.
        keep: how many of the latest stay; the one of the best epoch stays beside them.
        **objects: what is saved, as for `tf.train.Checkpoint`.
    """

    def __init__(self, directory: str, keep: int, **objects: Any) -> None:
        self._directory, self._keep = pathlib.Path(directory), keep
        self._variables = tf.train.Checkpoint(**objects)

    def all(self) -> list[pathlib.Path]:
        """Returns the whole checkpoints, oldest first."""
        return sorted(self._directory.glob("epoch-*-batch-*"))

    def save(self, state: TrainingState) -> None:
        """Writes a checkpoint, then removes those that are no longer kept.

        Raises:
            UserError: it cannot be written, for want of space for example; the earlier ones are untouched.
        """
        final = self._directory / state.name
        if final.exists():
            return
        try:
            self._write(state, final)
        except (OSError, tf.errors.OpError) as error:
            whole = self.all()
            kept = (
                f"{whole[-1]} is whole, and the same command goes on from there"
                if whole
                else "there is none yet"
            )
            reason = str(error).splitlines()[0]
            raise UserError(
                f"the checkpoint {final} could not be written ({reason}): make room or give rights, then "
                f"start again. The last checkpoint: {kept}"
            ) from error
        self._prune(state)

    def restore_latest(self) -> TrainingState | None:
        """Restores the latest checkpoint, or returns None where there is none.

        Raises:
            UserError: it is damaged, or was written by another version of the program.
        """
        whole = self.all()
        return self._restore(whole[-1]) if whole else None

    def restore_best(self, best: tuple[int, float]) -> None:
        """Restores the checkpoint of the best epoch."""
        self._restore(self._directory / TrainingState(epochs=best[0]).name)

    def _write(self, state: TrainingState, final: pathlib.Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for left in self._directory.glob(_UNFINISHED + "*"):
            shutil.rmtree(left)
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._directory))
        try:
            self._variables.write(str(temporary / "variables"))
            (temporary / "state.json").write_text(
                json.dumps(dataclasses.asdict(state)) + "\n", encoding="utf-8"
            )
            for file in temporary.iterdir():
                _flush(file)
            temporary.chmod(0o755)
            temporary.rename(final)
            _flush(self._directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _restore(self, checkpoint: pathlib.Path) -> TrainingState:
        try:
            fields = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
            best = fields.pop("best")
            state = TrainingState(**fields, best=best and tuple(best))
            self._variables.read(str(checkpoint / "variables")).assert_consumed()
        except (OSError, ValueError, LookupError, TypeError, AssertionError, tf.errors.OpError) as error:
            raise UserError(
                f"the checkpoint {checkpoint} cannot be read ({str(error).splitlines()[0]}): remove it, and "
                "the same command goes on from the one before; or --noresume to start anew"
            ) from error
        return state

    def _prune(self, state: TrainingState) -> None:
        best = state.best and TrainingState(epochs=state.best[0]).name
        for old in self.all()[: -self._keep]:
            if old.name != best:
                shutil.rmtree(old)


def _flush(path: pathlib.Path) -> None:
    """Waits until a file, or a directory's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def last_step(directory: str) -> int:
    """Returns the optimizer steps behind the explainer that a training left; 0 where no checkpoint says so.

    Args:
        directory: of its checkpoints.
    """
    whole = sorted(pathlib.Path(directory).glob("epoch-*-batch-*/state.json"))
    if not whole:
        return 0
    state = json.loads(whole[-1].read_text(encoding="utf-8"))
    if state["best"]:
        best = whole[-1].parents[1] / TrainingState(epochs=state["best"][0]).name / "state.json"
        state = json.loads(best.read_text(encoding="utf-8"))
    return int(state["step"])
