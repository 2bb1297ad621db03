"""The runners that one machine can offer, as options of the command line."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.pipelines import flink, services

RUNNERS = ("in_process", "two_processes", "portable", "flink", "flink_cluster")
PROGRAM = ("-m", "pipelines.extract_features")
_SECONDS = 1200.0


def missing(runner: str) -> str | None:
    """Why a runner cannot be used here, or None."""
    return flink.missing() if runner.startswith("flink") else None


@contextlib.contextmanager
def options(runner: str) -> Iterator[list[str]]:
    """Starts what a runner needs and yields its options."""
    with contextlib.ExitStack() as stack:
        match runner:
            case "in_process":
                yield []
            case "two_processes":
                yield ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
            case "portable":
                endpoint = stack.enter_context(services.job_service())
                pool = stack.enter_context(services.worker_pool())
                yield ["--runner=PortableRunner", f"--job_endpoint={endpoint}", *_external(pool)]
            case "flink":
                pool = stack.enter_context(services.worker_pool())
                yield [*_flink(2), *_external(pool)]
            case "flink_cluster":
                master = stack.enter_context(flink.cluster())
                yield [*_flink(flink.TASK_MANAGERS), f"--flink_master={master}", *_processes()]


def _flink(parallelism: int) -> list[str]:
    return [
        "--runner=FlinkRunner",
        f"--flink_job_server_jar={flink.JOB_SERVER}",
        f"--parallelism={parallelism}",
    ]


def _external(pool: str) -> list[str]:
    return ["--environment_type=EXTERNAL", f"--environment_config={pool}"]


def _processes() -> list[str]:
    worker = json.dumps({"command": str(services.ROOT / "tools" / "beam_worker.py")})
    return ["--environment_type=PROCESS", f"--environment_config={worker}"]


def extract(arguments: Sequence[str], log: pathlib.Path, program: Sequence[str] = PROGRAM) -> str:
    """Runs the binary as a person does, or as `program` says, and returns what it prints.

    Raises:
        RuntimeError: it failed; the message ends as its log does.
    """
    command = [sys.executable, *program, *arguments]
    with log.open("wb+") as file, services.session(command, subprocess.PIPE, file) as process:
        said, _ = process.communicate(timeout=_SECONDS)
        if process.returncode:
            file.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {file.read().decode(errors='replace')[-4000:]}")
    return said.decode()
