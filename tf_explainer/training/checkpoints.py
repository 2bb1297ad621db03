"""Checkpoints of a training run: a checkpoint's directory is either complete or does not exist.

`checkpoints/epoch-0003-batch-000017/` holds `variables.*` (every variable, as TensorFlow writes them) and
`state.json` (the position in the epochs). It is written under a temporary name and renamed once all of it is
on disk, so a directory of that name is complete even if the process or the machine dies at any moment.
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
_FINISHED = "epoch-*-batch-*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingState:
    """The position of a training run; together with the seed it also determines the next images.

    Attributes:
        epochs: completed epochs.
        batches: completed batches of the current epoch.
        step: optimizer steps since the start.
        best: completed epochs at the best value of the measure so far, and that value; or None.
    """

    epochs: int = 0
    batches: int = 0
    step: int = 0
    best: tuple[int, float] | None = None

    @property
    def name(self) -> str:
        """Name of the checkpoint; sorting by name sorts by time."""
        return f"epoch-{self.epochs:04d}-batch-{self.batches:06d}"


class Checkpoints:
    """The checkpoints of one training run.

    Args:
        directory: local directory of the checkpoints.
        keep: number of latest checkpoints to keep; the one of the best epoch is kept as well.
        **objects: the objects to save, as for `tf.train.Checkpoint`.
    """

    def __init__(self, directory: str, keep: int, **objects: Any) -> None:
        self._directory, self._keep = pathlib.Path(directory), keep
        self._variables = tf.train.Checkpoint(**objects)

    def all(self) -> list[pathlib.Path]:
        """Returns the complete checkpoints, oldest first."""
        return sorted(self._directory.glob(_FINISHED))

    def save(self, state: TrainingState) -> None:
        """Writes a checkpoint, then removes old ones.

        Raises:
            UserError: it cannot be written, e.g. because the disk is full; earlier ones are untouched.
        """
        final = self._directory / state.name
        if final.exists():
            return
        try:
            self._write(state, final)
        except (OSError, tf.errors.OpError) as error:
            earlier = self.all()
            start = f"the last checkpoint, {earlier[-1]}" if earlier else "the beginning"
            reason = str(error).splitlines()[0]
            raise UserError(
                f"the checkpoint {final} could not be written ({reason}): make room or give write "
                f"permission, then run the same command again; it starts from {start}"
            ) from error
        self._prune(state)

    def restore_latest(self) -> TrainingState | None:
        """Restores the latest checkpoint, or returns None if there is none.

        Raises:
            UserError: it is damaged, or was written by another version of the program.
        """
        checkpoints = self.all()
        return self._restore(checkpoints[-1]) if checkpoints else None

    def restore_best(self, best: tuple[int, float]) -> None:
        """Restores the checkpoint of the best epoch."""
        self._restore(self._directory / TrainingState(epochs=best[0]).name)

    def _write(self, state: TrainingState, final: pathlib.Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for unfinished in self._directory.glob(_UNFINISHED + "*"):
            shutil.rmtree(unfinished)
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
            fields = _fields(checkpoint)
            state = TrainingState(**fields | {"best": fields["best"] and tuple(fields["best"])})
            self._variables.read(str(checkpoint / "variables")).assert_consumed()
        except (OSError, ValueError, LookupError, TypeError, AssertionError, tf.errors.OpError) as error:
            raise UserError(
                f"the checkpoint {checkpoint} cannot be read ({str(error).splitlines()[0]}): remove it, and "
                "the same command continues from the one before; or start over with --noresume"
            ) from error
        return state

    def _prune(self, state: TrainingState) -> None:
        best = state.best and TrainingState(epochs=state.best[0]).name
        for old in self.all()[: -self._keep]:
            if old.name != best:
                shutil.rmtree(old)


def _flush(path: pathlib.Path) -> None:
    """Waits until a file, or a directory's entries, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fields(checkpoint: pathlib.Path) -> dict[str, Any]:
    return json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))


def last_step(directory: str) -> int:
    """Returns how many optimizer steps the saved explainer was trained for; 0 without a checkpoint.

    Args:
        directory: directory of the checkpoints, which another version of the program may have written.
    """
    checkpoints = sorted(pathlib.Path(directory).glob(_FINISHED))
    if not checkpoints:
        return 0
    fields = _fields(checkpoints[-1])
    if fields["best"]:
        fields = _fields(pathlib.Path(directory) / TrainingState(epochs=fields["best"][0]).name)
    return fields["step"]
