"""The demos' runs are shown by both tabs."""

import numpy as np
import pytest
from absl.testing import flagsaver

from tests.plugins.snapshot_example import client_of, wait_for
from tf_explainer.command_line import flags
from tf_explainer.plugins.images import demo as images_demo
from tf_explainer.plugins.parts import demo as parts_demo


@pytest.fixture
def run(tmp_path):
    def run(demo):
        with flagsaver.flagsaver():
            flags.FLAGS(["demo", f"--workdir={tmp_path}"])
            demo.main([])
        return client_of(tmp_path / "tensorboard", fast=False)

    return run


def test_parts_over_steps(run):
    client = run(parts_demo)
    wait_for(lambda: client.get("/data/plugin/parts/runs").json["runs"] == {"training": [0, 100, 200]})
    index = client.get("/data/plugin/parts/index?run=training&step=200").json
    assert [layer["name"] for layer in index["layers"]] == ["conv_2", "conv_1"]
    assert index["pictures_step"] == 0
    assert index["images"]["landmark_names"] == ["head", "torso", "legs", "tail"]


@pytest.mark.slow
def test_contributions_sum_to_scores(run):
    client = run(images_demo)
    wait_for(lambda: client.get("/data/plugin/part_images/runs").json["runs"] == {"evaluation": [0]})
    index = client.get("/data/plugin/part_images/index?run=evaluation&step=0").json
    parts = client.get("/data/plugin/part_images/contributions?run=evaluation&step=0&image=7").data
    classes = [index, *index["others"]]
    for one, filters in zip(classes, np.frombuffer(parts, "<f4").reshape(len(classes), -1), strict=True):
        total = filters.sum() + one["ordinary"][7] + one["baseline"][7] + one["gap"][7]
        assert total == pytest.approx(one["scores"][7], abs=1e-4)
    snapshot = client.get("/data/plugin/parts/index?run=evaluation&step=0").json
    assert snapshot["images"]["predicted"] == index["classes"]
    assert index["names"] == snapshot["images"]["classes"]
