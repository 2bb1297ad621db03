"""The services that runners need, started on free ports and always stopped."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

ROOT = pathlib.Path(__file__).resolve().parents[2]
Output = IO[bytes] | int
_SECONDS_TO_START = 90.0
_SECONDS_TO_STOP = 15.0


def environment(code: pathlib.Path = ROOT) -> dict[str, str]:
    """The environment of workers: this interpreter is `python`, and the project is imported from `code`."""
    others = [
        path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(ROOT))
    ]
    return os.environ | {
        "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(code), *others]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def session(
    command: Sequence[str], stdout: Output, stderr: Output, code: pathlib.Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a process; it and everything that it started has ended when the block is left."""
    process = subprocess.Popen(
        list(command),
        stdout=stdout,
        stderr=stderr,
        env=environment(code),
        cwd=code,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process)


@contextlib.contextmanager
def running(
    command: Sequence[str],
    is_ready: Callable[[], bool],
    log: pathlib.Path | None = None,
    code: pathlib.Path = ROOT,
) -> Iterator[None]:
    """Runs a service until the block is left; everything that it started ends with it.

    Args:
        command: what to run.
        is_ready: whether it can be used now.
        log: where its output goes; a temporary file unless given.
        code: where it finds the project.

    Raises:
        RuntimeError: it ended, or did not become ready in time; the message ends as its output does.
    """
    with (
        log.open("wb+") if log else tempfile.TemporaryFile() as file,
        session(command, file, file, code) as process,
    ):
        deadline = time.monotonic() + _SECONDS_TO_START
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                file.seek(0)
                said = file.read().decode(errors="replace")
                raise RuntimeError(f"{' '.join(command)} cannot be used: {said[-2000:]}")
            time.sleep(0.1)
        yield


def answers(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def worker_pool(code: pathlib.Path = ROOT) -> Iterator[str]:
    """Beam's external worker pool: each worker is a process of its own. Yields its address."""
    port = free_port()
    module = "apache_beam.runners.worker.worker_pool_main"
    with running([sys.executable, "-m", module, f"--service_port={port}"], lambda: answers(port), code=code):
        yield f"localhost:{port}"


@contextlib.contextmanager
def job_service() -> Iterator[str]:
    """Beam's own portable job service. Yields its address."""
    port = free_port()
    module = "apache_beam.runners.portability.local_job_service_main"
    with running([sys.executable, "-m", module, "-p", str(port)], lambda: answers(port)):
        yield f"localhost:{port}"


@contextlib.contextmanager
def storage_emulator(bucket: str) -> Iterator[str]:
    """What looks like Google Cloud Storage, with one empty bucket, in memory. Yields its address."""
    port = free_port()
    command = ["-m", "gcp_storage_emulator", "start", "--quiet", "--in-memory", f"--default-bucket={bucket}"]
    with running([sys.executable, *command, f"--port={port}"], lambda: answers(port)):
        yield f"http://localhost:{port}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_STOP)
