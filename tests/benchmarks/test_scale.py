"""How extraction grows with the number of images: the table, the kill, and what other processes take."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks import scale
from tests.pipelines import flink


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|\n").split("|")]


def test_what_a_started_process_takes_is_counted() -> None:
    busy = "\n".join(
        (
            "import time",
            "block = bytearray(50_000_000)",
            "while time.process_time() < 0.5: pass",
            "print(flush=True)",
            "input()",
        )
    )
    command = [sys.executable, "-c", busy]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        seconds, peak = scale._children()
        child.stdin.write(b"\n")
        child.stdin.flush()
    assert 0.4 < seconds < 5
    assert 50_000_000 < peak < 200_000_000


@pytest.mark.slow
@pytest.mark.long
def test_a_row_says_what_an_image_more_takes(capsys: pytest.CaptureFixture[str]) -> None:
    scale.main([300, 900], "in_process")

    header, _, few, many = map(cells, capsys.readouterr().out.splitlines())
    assert few[:2] == ["300", "16"]
    assert many[:2] == ["900", "16"]
    assert few[header.index("engine's, MB")] == ""
    seconds, more = header.index("s of CPU"), header.index("ms of CPU an image more")
    assert few[more] == ""
    assert float(many[more]) == pytest.approx(
        1000 * (float(many[seconds]) - float(few[seconds])) / 600, abs=0.2
    )


@pytest.mark.slow
@pytest.mark.long
def test_a_kill_near_the_end_costs_no_more_than_a_shard(capsys: pytest.CaptureFixture[str]) -> None:
    scale.killed(20_000)

    numbers = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?= )", capsys.readouterr().out)]
    images, whole_shards, shards, there, read = numbers[:5]
    assert (images, shards) == (20_000, 20)
    assert 18 <= whole_shards < 20
    assert read == images - there


@pytest.mark.slow
@pytest.mark.skipif(flink.missing() is not None, reason=str(flink.missing()))
def test_flinks_engine_is_counted_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    scale.main([300], "flink")

    header, _, row = map(cells, capsys.readouterr().out.splitlines())
    assert row[:2] == ["300", "16"]
    assert float(row[header.index("engine's, MB")]) > 100
