"""What can happen to a training that a team leaves running, each in a process of its own."""

import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support.small_training import small_features
from tf_explainer.training.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[1]
EPOCHS, STEPS = 16, 80
KILLS = 20


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored") / "features"
    small_features(folder)
    return folder


@pytest.fixture(scope="module")
def settings(features):
    def settings(root, **changes):
        root.mkdir(exist_ok=True)
        return {
            "root": str(root),
            "features_dir": str(features),
            "out": str(root / "weights.npz"),
            "steps": str(root / "steps"),
            "config": {"epochs": EPOCHS, "checkpoint_steps": 3, "deterministic": True},
        } | changes

    return settings


def command(module, settings, *arguments):
    return [sys.executable, "-m", module, json.dumps(settings), *map(str, arguments)]


def run(*arguments):
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def running(settings):
    process = subprocess.Popen(
        command("tests.support.training_process", settings), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_steps(settings, count):
    file, end = pathlib.Path(settings["steps"]), time.monotonic() + 120
    while not file.exists() or len(file.read_text().split()) < count:
        assert time.monotonic() < end, "the training does not start"
        time.sleep(0.02)


def same_weights(one, other):
    with np.load(one["out"]) as a, np.load(other["out"]) as b:
        assert set(a) == set(b)
        return all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    """The training that nothing happened to."""
    undisturbed = settings(tmp_path_factory.mktemp("whole"))
    result = run("tests.support.training_process", undisturbed)
    assert result.returncode == 0, result.stderr[-2000:]
    return undisturbed


@pytest.mark.long
def test_killed_at_random_moments_it_ends_with_the_same_bits(settings, whole, tmp_path):
    killed = settings(tmp_path / "run", pause=0.05)
    result = run("tests.support.killed_training", killed, KILLS, 0)
    assert result.returncode == 0, result.stderr[-2000:]
    taken, different = map(int, result.stdout.splitlines()[-1].split())
    assert different == STEPS
    assert taken > STEPS, "no step was repeated: the kills met nothing"
    assert same_weights(killed, whole)
    assert not list((tmp_path / "run").rglob(".*"))


def test_sigterm_saves_and_says_how_to_go_on(settings, whole, tmp_path):
    stopped = settings(tmp_path / "run", pause=0.05)
    with running(stopped) as process:
        wait_for_steps(stopped, 7)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    taken = pathlib.Path(stopped["steps"]).read_text().split()
    assert f"Stopped after step {taken[-1]}, in epoch" in said
    assert "the same command continues from here" in said
    assert run("tests.support.training_process", stopped).returncode == 0
    assert pathlib.Path(stopped["steps"]).read_text().split() == [str(n + 1) for n in range(STEPS)]
    assert same_weights(stopped, whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small file system takes rights that this process has not")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_one_message_and_leaves_the_last_checkpoint(settings, whole, small_disk):
    full = settings(small_disk / "run")
    full["out"] = str(small_disk.parent / "weights.npz")
    config = full["config"] | {"keep_checkpoints": 1000}
    result = run("tests.support.training_process", full | {"config": config})
    assert result.returncode == 1, result.stderr[-2000:]
    assert "could not be written (" in result.stdout
    assert "make room" in result.stdout
    kept = Checkpoints(str(small_disk / "run" / "checkpoints"), 1).all()
    assert str(kept[-1]) in result.stdout
    for old in kept[:-1]:
        shutil.rmtree(old)
    resumed = run("tests.support.training_process", full)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr[-2000:]
    assert same_weights(full, whole)
