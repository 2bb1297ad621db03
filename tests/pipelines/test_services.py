import subprocess
import sys
import time

import pytest

from tests.pipelines import services

CHILD = (
    "import subprocess, sys, time; subprocess.Popen(['sleep', sys.argv[1]]); "
    "print('up', flush=True); time.sleep(60)"
)


def is_running(seconds):
    return (
        subprocess.run(["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, check=False).returncode
        == 0
    )


def test_what_a_service_started_ends_with_it(tmp_path):
    log, seconds = tmp_path / "log", "61.25"
    command = [sys.executable, "-c", CHILD, seconds]
    with services.running(command, lambda: log.read_text() == "up\n", log):
        assert is_running(seconds)
    # Nobody waits for a grandchild: it is told to end, and ends soon.
    end = time.monotonic() + 20
    while is_running(seconds) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(seconds)


def test_a_service_that_ends_says_why():
    command = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
    with pytest.raises(RuntimeError, match="the port is taken"), services.running(command, lambda: False):
        pass


def test_a_service_that_never_answers_is_stopped(monkeypatch):
    monkeypatch.setattr(services, "_SECONDS_TO_START", 0.3)
    start = time.monotonic()
    command = [sys.executable, "-c", "import time; time.sleep(62)"]
    with pytest.raises(RuntimeError, match="cannot be used"), services.running(command, lambda: False):
        pass
    assert time.monotonic() - start < 10


def test_workers_run_under_this_interpreter():
    command = ["python", "-c", "import sys, pipelines; print(sys.prefix)"]
    said = subprocess.run(command, env=services.environment(), capture_output=True, text=True, check=True)
    assert said.stdout.strip() == sys.prefix


def test_a_port_is_free():
    assert not services.answers(services.free_port())
