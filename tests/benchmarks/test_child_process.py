"""What a measured command reports of itself."""

import pytest

from benchmarks import child_process

HUNGRY = "import time, timeit; block = bytearray(b'1' * 200_000_000); time.sleep(0.2); print(len(block))"


def timeit(code):
    # A module of the standard library that runs what it is given.
    return child_process.run("timeit", ["-n", "1", "-r", "1", code])


def test_peak_memory_is_that_of_the_command():
    lean, hungry = timeit("print('lean'); import time; time.sleep(0.2)"), timeit(HUNGRY)
    assert 150e6 < hungry.peak_bytes - lean.peak_bytes < 600e6
    assert "200000000" in hungry.output


def test_time_by_the_clock_and_of_the_cpu():
    usage = timeit("import time; time.sleep(1.0)")
    assert usage.seconds >= 1.0
    assert usage.cpu_seconds < 1.0


def test_a_failure_is_told_with_its_reason():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        timeit("1 / 0")
