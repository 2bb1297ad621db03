"""Runs a command, and measures its time and memory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence

_SECONDS = 0.05

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Usage:
    """The usage of a process.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of all its threads and of its children.
        peak_bytes: largest resident memory of the process itself.
        output: its standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run(
    module: str,
    arguments: Sequence[str],
    cores: Collection[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Usage:
    """Runs `python -m MODULE ARGUMENTS` in the project's root.

    Args:
        module: of this project.
        arguments: of the command line.
        cores: that the process may use; None for all.
        environment: variables in addition to those of this process.

    Raises:
        RuntimeError: the command failed; the message contains the end of its standard error.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
            stdout=output,
            stderr=errors,
            preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        )
        peak = _PeakMemory(process.pid)
        peak.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        peak.join()
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"{module} {' '.join(arguments)} failed: {errors.read()[-3000:]}")
        return Usage(seconds, usage.ru_utime + usage.ru_stime, peak.bytes, output.read())


class _PeakMemory(threading.Thread):
    """Watches the peak memory of a process; its own `ru_maxrss` would include its parent's memory."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._status = pathlib.Path(f"/proc/{process}/status")
        self.bytes = 0

    def run(self) -> None:
        with contextlib.suppress(OSError):  # The process has ended.
            while found := re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text()):
                self.bytes = 1024 * int(found[1])
                time.sleep(_SECONDS)
