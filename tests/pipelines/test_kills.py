"""Runs that are killed at random moments, 20 times in a row, and the run that finishes."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import pytest

from tests.pipelines.squares import files

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = 20
# Of the time that an undisturbed run takes: the earlier moments lie before the first shard; after later ones
# the next run would find too little left to be killed at.
EARLIEST, LATEST = 0.2, 0.6


class Run:
    """The binary on one work directory."""

    def __init__(self, folder, performer):
        self.features = folder / "features"
        self._log = folder / "log"
        folder.mkdir()
        command = [
            *(sys.executable, "-m", "tests.pipelines.forked_extraction", f"--workdir={folder}"),
            *("--dataset=creatures", "--num_images=400", "--num_shards=40", "--extraction_batch_size=8"),
            *(f"--performer={performer.config.performer}", "--image_size=32", "--target_layer=conv"),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"TMPDIR": str(folder)},
                text=True,
            )
        # It has imported everything as soon as it answers.
        assert self.killed_after(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def killed_after(self, seconds):
        """Kills the run and all its children after a time, or not at all; returns whether it was killed."""
        self._process.stdin.write(f"{'' if seconds is None else seconds}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer in ("killed", "0"), self._log.read_text()[-3000:]
        return answer == "killed"


@pytest.mark.slow
@pytest.mark.long
def test_twenty_kills_change_no_byte(performer, tmp_path):
    with Run(tmp_path / "undisturbed", performer) as undisturbed:
        start = time.monotonic()
        undisturbed.killed_after(None)
        whole_run = time.monotonic() - start
    expected = files(undisturbed.features)
    with Run(tmp_path / "killed", performer) as run:
        survive(run, whole_run, expected)


def survive(run, whole_run, expected):
    chance = random.Random(0)
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
