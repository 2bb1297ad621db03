"""How far some work is: a line that changes on a terminal or in a notebook, else one every few seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import tqdm
from tqdm.utils import disp_trim

_COLUMNS = 80
# Seconds from which on there is a speed: what begins with many things done would seem to take no time.
_EARLIEST = 0.5


class ProgressBar(tqdm.tqdm):
    """A count of things done, with speed and time left, on the error output.

    Args:
        work: what is done.
        total: how many things there are; None: not known.
        unit: what they are, in the plural, if `work` does not say it.
        file: where to write; None: the error output.
        **options: as for `tqdm.tqdm`.

    Attributes:
        speed: what stands for the speed; None: things a second.
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
            # tqdm writes nothing where a terminal does not tell how many lines it has.
            options |= {"file": output, "nrows": 24}
        self.total = total
        super().__init__(desc=work, total=total, unit=unit and f" {unit}", **options)

    def __str__(self) -> str:
        values = self.format_dict
        text = self.format_meter(**values | {"bar_format": self._format(values)})
        # A line that wraps would be written anew below each time.
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
        """Moves on; a total that turns out too small grows."""
        if self.total is not None and self.n + (n or 0) > self.total:
            self.total = self.n + (n or 0)
        return super().update(n)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:
        """Shows where it is; in whole lines, where it ended only once."""
        if self._lines and not self._lines.ends and self.total is not None and self.n >= self.total:
            return None
        return super().display(msg, pos)

    def note(self, text: str) -> None:
        """Writes a line that stays."""
        file = self._lines.file if self._lines else self.fp
        self.write(text, file=file)

    def close(self) -> None:
        """Shows where it ended."""
        if self._lines:
            self._lines.ends = True
        super().close()


def _columns(file: TextIO) -> int:
    """Returns a terminal's width; some do not tell it."""
    try:
        return os.get_terminal_size(file.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


class Stages:
    """Shows one stage of some work after the other, each in a line of its own."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: ProgressBar | None = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:  # As a condition it would be asked for its length.
            self._bar.close()

    def bar(self, stage: str, total: int | None = None, unit: str = "") -> ProgressBar:
        """Returns the bar of a stage; another stage's is closed."""
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, ProgressBar(stage, total, unit=unit)
        return self._bar


def _in_notebook(file: TextIO) -> bool:
    """Tells whether a file is shown below the cell that runs."""
    return type(file).__module__ == "ipykernel.iostream"


class _Lines:
    """Takes what would be written over one line again and again, and writes some of it as whole lines."""

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
    """Shows them in one place below a notebook's cell."""

    seconds = 0.2

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)
        self._place: Any = None

    def show(self, line: str) -> None:
        data = {"text/plain": line}
        if self._place is None:
            from IPython.display import display

            self._place = display(data, raw=True, display_id=True)
        else:
            self._place.update(data, raw=True)
