"""Extracts, a run for each line of its input: `python -m tests.pipelines.forked_extraction FLAGS`.

A line holds the seconds after which the run is killed, or nothing. Every run is a fork of this process, which
has imported everything but started nothing: that saves most of the time. Prints `killed` or the exit code.
"""

import contextlib
import importlib
import os
import signal
import sys
import time

from pipelines import extract_features

# What the binary imports only once it has read its flags.
for name in (
    *("dataflow.beam_options", "dataflow.options"),
    *(
        "extraction.counters",
        "extraction.feature_extraction",
        "extraction.progress",
        "extraction.staged_performer",
    ),
    *("feature_set.dead_letters", "feature_set.feature_set"),
):
    importlib.import_module(f"pipelines.{name}")
for name in ("creatures", "registry"):
    importlib.import_module(f"tf_explainer.datasets.{name}")


def started():
    """Forks a run, in a session of its own, whose output goes to the error output."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        extract_features.run()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(child, seconds):
    """Waits for a run; kills it and all its children after a time, and returns None then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):  # It was killed before it had a group.
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


for line in sys.stdin:
    code = ended(started(), float(line.strip() or "inf"))
    print("killed" if code is None else code, flush=True)
