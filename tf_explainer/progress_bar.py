"""Progress of some work: a line updated in place on a terminal or in a notebook, else some separate lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import tqdm
from tqdm.utils import disp_trim

_COLUMNS = 80
# Seconds before a speed is shown: work that resumes with many things done would seem to be very fast.
_EARLIEST = 0.5


class ProgressBar(tqdm.tqdm):
    """A count of things done, with speed and remaining time, on the standard error.

    Args:
        work: description of the work.
        total: number of things to do; None: unknown.
        unit: name of the things, in the plural, if `work` does not name them.
        file: where to write; None: the standard error.
        **options: passed to `tqdm.tqdm`.

    Attributes:
        speed: text to show as the speed; None: things per second.
    """

    speed: str | None = None

    def __init__(
        self,
        work: str,
        total: int | None = None,
        *,
        unit: str = "",
        file: TextIO | None = None,
        **options: Any,
    ) -> None:
        output = file or sys.stderr
        self._lines = None if output.isatty() else _Cell(output) if _in_notebook(output) else _Lines(output)
        if self._lines:
            options |= {"file": self._lines, "mininterval": 0}
        else:
            # tqdm writes nothing if a terminal does not report its number of lines.
            options |= {"file": output, "nrows": 24}
        self.total = total
        super().__init__(desc=work, total=total, unit=unit and f" {unit}", **options)

    def __str__(self) -> str:
        values = self.format_dict
        text = self.format_meter(**values | {"bar_format": self._format(values)})
        # A line that wraps would not be overwritten.
        return text if self._lines else disp_trim(text, _columns(self.fp) - 1)

    def _format(self, values: Mapping[str, Any]) -> str:
        done = "{desc}: {n_fmt}{unit}" if self.total is None else "{desc}: {n_fmt}/{total_fmt}{unit}"
        if self.total is None or self.n <= self.initial:
            return done + (", {elapsed}" if values["elapsed"] >= 1 else "") + "{postfix}"
        if self.n >= self.total:
            return done + " in {elapsed}{postfix}"
        if self.speed is None and values["elapsed"] < _EARLIEST:
            return done + "{postfix}"
        rate = values["rate"] or (self.n - self.initial) / max(values["elapsed"], 1e-9)
        return f"{done}, {self.speed or f'{rate:.1f}{self.unit}/s'}, {{remaining}} left{{postfix}}"

    def update(self, n: float | None = 1) -> bool | None:
        """Adds to the count; the total grows if it turns out to be too small."""
        if self.total is not None and self.n + (n or 0) > self.total:
            self.total = self.n + (n or 0)
        return super().update(n)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:
        """Shows the current state; in line mode the final state is shown only by `close`."""
        if self._lines and not self._lines.ends and self.total is not None and self.n >= self.total:
            return None
        return super().display(msg, pos)

    def note(self, text: str) -> None:
        """Writes a line that is not overwritten."""
        self.write(text, file=self._lines.file if self._lines else self.fp)

    def close(self) -> None:
        """Shows the final state."""
        if self._lines:
            self._lines.ends = True
        super().close()


def _columns(file: TextIO) -> int:
    """Returns a terminal's width, or 80 if it is unknown."""
    try:
        return os.get_terminal_size(file.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


class Stages:
    """Shows the progress of consecutive stages, each in its own line."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: ProgressBar | None = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:  # The truth value of a bar depends on its total.
            self._bar.close()

    def bar(self, stage: str, total: int | None = None, unit: str = "") -> ProgressBar:
        """Returns the bar of a stage; closes that of the stage before."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, ProgressBar(stage, total, unit=unit)
        return self._bar


def _in_notebook(file: TextIO) -> bool:
    """Returns whether a file is the output of a notebook's cell."""
    return type(file).__module__ == "ipykernel.iostream"


class _Lines:
    """Writes updates as separate lines, at most one every `seconds`, unless `ends` is set."""

    seconds = 5.0

    def __init__(self, file: TextIO) -> None:
        self.file, self.ends = file, False
        self._last, self._due = "", 0.0

    def write(self, text: str) -> None:
        line, now = text.strip(), time.monotonic()
        if line and line != self._last and (self.ends or now >= self._due):
            self.show(line)
            self._last, self._due = line, now + self.seconds

    def show(self, line: str) -> None:
        self.file.write(line + "\n")

    def flush(self) -> None:
        self.file.flush()


class _Cell(_Lines):
    """Shows updates in a single place below a notebook's cell."""

    seconds = 0.2

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self._handle: Any = None

    def show(self, line: str) -> None:
        data = {"text/plain": line}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
