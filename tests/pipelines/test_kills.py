"""Runs that are killed at random moments, 20 times in a row, and the run that finishes."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.pipelines.squares import files

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = 20
# Of the time that an undisturbed run takes: most of the earlier moments lie before the first shard.
EARLIEST, LATEST = 0.3, 0.9


class Run:
    """The binary on one work directory, as a person starts it."""

    def __init__(self, folder, performer):
        self.features = folder / "features"
        self._folder = folder
        folder.mkdir()
        self._command = [
            *(sys.executable, "-m", "pipelines.extract_features", f"--workdir={folder}"),
            *("--dataset=creatures", "--num_images=800", "--num_shards=40", "--extraction_batch_size=8"),
            *(f"--performer={performer.config.performer}", "--image_size=32", "--target_layer=conv"),
        ]

    def killed_after(self, seconds):
        """Kills the run and all its children after a time, or not at all; returns whether it was killed."""
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"TMPDIR": str(self._folder)},
                start_new_session=True,
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
        assert status == 0, (self._folder / "log").read_text()[-3000:]
        return False


@pytest.mark.slow
def test_twenty_kills_change_no_byte(performer, tmp_path):
    undisturbed = Run(tmp_path / "undisturbed", performer)
    start = time.monotonic()
    undisturbed.killed_after(None)
    whole_run = time.monotonic() - start
    expected = files(undisturbed.features)
    chance = random.Random(0)
    run = Run(tmp_path / "killed", performer)
    found = []
    while len(found) < KILLS:
        if run.killed_after(whole_run * chance.uniform(EARLIEST, LATEST)):
            left = files(run.features) if run.features.exists() else {}
            for name, content in left.items():
                assert name.startswith(".unfinished-") or content == expected[name], name
            found.append(len(left))
        if (run.features / "manifest.json").exists():  # It was quicker: once more from the beginning.
            assert files(run.features) == expected
            shutil.rmtree(run.features)
    print(f"files that {KILLS} killed runs left, of {len(expected)}: {found}")
    # Some of the moments have to lie within the work, not all before or behind it.
    assert sum(1 < count < len(expected) for count in found) >= KILLS // 4
    run.killed_after(None)
    assert files(run.features) == expected
