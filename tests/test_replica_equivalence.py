"""However a batch is divided, over devices or processes, 20 steps of training end with the same weights."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.small_training import small_features

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUNS = ("1", "2", "4", "worker 0", "worker 1")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(root, name, config, environment):
    """One process; both workers share a work directory, as they would in earnest."""
    settings = {
        "root": str(root / name.split()[0]),
        "features_dir": str(root / "features"),
        "out": str(root / f"{name}.npz"),
        "config": {"epochs": 4} | config,
    }
    command = [sys.executable, "-m", "tests.training_process", json.dumps(settings)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The weights of every run, by name; processes of their own, side by side."""
    root = tmp_path_factory.mktemp("replicas")
    small_features(root / "features")
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    processes = {}
    for name in RUNS:
        if name.startswith("worker"):
            task = {"type": "worker", "index": int(name[-1])}
            environment = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}
            processes[name] = started(root, name, {"strategy": "multi_worker"}, environment)
        else:
            processes[name] = started(root, name, {"logical_cpus": int(name)}, {})
    try:
        assert {name: process.wait(300) for name, process in processes.items()} == dict.fromkeys(RUNS, 0)
    finally:
        for process in processes.values():
            process.kill()
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
