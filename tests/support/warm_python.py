"""Programs run as `python ARGUMENTS`, without waiting for TensorFlow, Keras and Beam each time.

A process that has imported them, and nothing of the project's, waits for programs and forks for each.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program at the root of the project: `-m MODULE ...` or `-c CODE ...`.

    Returns:
        what `subprocess.run` gives for the same arguments, with the output as text.
    """
    command = [sys.executable, *arguments]
    if sys.platform != "linux":  # Forking behind imports is not safe everywhere.
        return subprocess.run(
            command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
        )
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = pathlib.Path(folder, "stdout"), pathlib.Path(folder, "stderr")
        server = _server()
        server.stdin.write(json.dumps([list(arguments), str(stdout), str(stderr)]) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(command, code, stdout.read_text(), stderr.read_text())


@functools.cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm_python"],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def _environment() -> dict[str, str]:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def _serve() -> Sequence[str]:
    """Forks for every line that is read; returns a program's arguments, in the process that is to run it."""
    import apache_beam  # noqa: F401
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    gc.freeze()  # Else a program that ends would look through all that was imported.
    for line in sys.stdin:
        arguments, stdout, stderr = json.loads(line)
        child = os.fork()
        if not child:
            for file, descriptor in ((stdout, 1), (stderr, 2)):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return arguments
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def _run_here(arguments: Sequence[str]) -> None:
    """Does what the interpreter does with its arguments."""
    how, program, *rest = arguments
    sys.argv = [how, *rest]
    if how == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(program, {"__name__": "__main__"})


if __name__ == "__main__":
    _run_here(_serve())
