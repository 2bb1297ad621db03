"""A Flink engine: what `make flink` has put into `build`, and a cluster of several processes made from it.

Within one process the job server starts an engine by itself.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator

from tests.pipelines import services

JOB_SERVER = services.ROOT / "build" / "flink_job_server" / "flink-job-server.jar"
DISTRIBUTION = services.ROOT / "build" / "flink" / "pyflink"
TASK_MANAGERS = 2

# From Java 17 on, Flink has to be allowed to look into these.
_OPENED = ("lang", "lang.invoke", "net", "nio", "text", "time", "util", "util.concurrent")
_JAVA = ["java", "-Xmx1g", *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED)]

# What Flink's own scripts would work out from the size of the machine.
_TASK_MANAGER_MEMORY = {
    "taskmanager.cpu.cores": "1.0",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.heap.size": "512m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}


def missing() -> str | None:
    """Why there is no Flink here, or None."""
    if not shutil.which("java"):
        return "needs Java: there is no java on the PATH"
    lacking = [path for path in (JOB_SERVER, DISTRIBUTION) if not path.exists()]
    return f"needs Flink: run `make flink`, there is no {lacking[0]}" if lacking else None


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """A standalone cluster of one job manager and several task managers of one slot. Yields its address."""
    rest = services.free_port()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _configure(directory, rest)
        job_manager = "runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        command = _command(job_manager, directory)
        stack.enter_context(services.running(command, lambda: _task_managers(rest) is not None))
        for number in range(1, TASK_MANAGERS + 1):
            command = _command("runtime.taskexecutor.TaskManagerRunner", directory)
            stack.enter_context(
                services.running(command, lambda number=number: _task_managers(rest) == number)
            )
        yield f"localhost:{rest}"


def _command(entry: str, directory: pathlib.Path) -> list[str]:
    return [
        *_JAVA,
        "-cp",
        f"{DISTRIBUTION}/lib/*",
        f"org.apache.flink.{entry}",
        "--configDir",
        str(directory),
    ]


def _configure(directory: pathlib.Path, rest: int) -> None:
    settings = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": services.free_port(),
        "jobmanager.memory.process.size": "1024m",
        "rest.address": "localhost",
        "rest.port": rest,
        "io.tmp.dirs": directory,
        "taskmanager.host": "localhost",
        "taskmanager.numberOfTaskSlots": 1,
        **_TASK_MANAGER_MEMORY,
    }
    lines = [f"{name}: {value}\n" for name, value in settings.items()]
    (directory / "config.yaml").write_text("".join(lines), encoding="utf-8")


def _task_managers(rest: int) -> int | None:
    """How many task managers the job manager knows; None where it does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://localhost:{rest}/taskmanagers", timeout=1) as answer:
            return len(json.load(answer)["taskmanagers"])
    except (urllib.error.URLError, OSError):
        return None
