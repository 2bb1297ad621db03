"""A command, run to its end, and what it took."""

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
    """What a process took, with its own children.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of all its threads.
        peak_bytes: its largest resident memory.
        output: what it printed.
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
        cores: the only ones that it may use; None for all.
        environment: variables that it has besides those of this process.

    Raises:
        RuntimeError: it failed; the message holds the end of what it said.
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
    """Watches a process, whose own account of its peak (`ru_maxrss`) begins with its parent's memory."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._status = pathlib.Path(f"/proc/{process}/status")
        self.bytes = 0

    def run(self) -> None:
        with contextlib.suppress(OSError):  # It has ended.
            while found := re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text()):
                self.bytes = 1024 * int(found[1])
                time.sleep(_SECONDS)
