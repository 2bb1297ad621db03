"""However a batch is divided, over devices or processes, 20 steps of training end with the same weights."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.support.small_training import small_features

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUNS = ("1", "2", "4", "worker 0", "worker 1")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings(root, name, cluster):
    """Of one process; both workers share a work directory, as they would in earnest."""
    common = {
        "root": str(root / name.split()[0]),
        "features_dir": str(root / "features"),
        "out": str(root / f"{name}.npz"),
    }
    if not name.startswith("worker"):
        return common | {"config": {"epochs": 4, "logical_cpus": int(name)}}
    task = {"type": "worker", "index": int(name[-1])}
    return common | {
        "config": {"epochs": 4, "strategy": "multi_worker"},
        "environment": {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The weights of every run, by name; processes of their own, side by side."""
    root = tmp_path_factory.mktemp("replicas")
    small_features(root / "features")
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    arguments = [json.dumps(settings(root, name, cluster)) for name in RUNS]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.training_process", *arguments], cwd=ROOT, start_new_session=True
    )
    try:
        assert process.wait(600) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    weights = {}
    for name in RUNS:
        with np.load(root / f"{name}.npz") as file:
            weights[name] = dict(file)
    return root, weights


@pytest.mark.parametrize("name", RUNS[1:])
def test_the_weights_are_those_of_one_replica(trained, name):
    _, weights = trained
    assert weights[name].keys() == weights["1"].keys()
    for path, expected in weights["1"].items():
        error = np.linalg.norm(weights[name][path] - expected)
        assert error <= 1e-5 * np.linalg.norm(expected), path


def test_both_workers_have_the_same_bits(trained):
    one, other = (trained[1][name] for name in RUNS[3:])
    assert all(np.array_equal(one[path], other[path]) for path in one)


def test_only_one_worker_writes(trained):
    left = {path.name for path in (trained[0] / "worker").iterdir()}
    assert left == {"checkpoints", "explainer.keras"}
    assert not list((trained[0] / "worker").rglob(".*"))
