"""The export from a work directory, by its command and as a library."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from tests.support.evaluation_example import CROP
from tests.support.small_run import CLASSES, write_run
from tf_explainer import export
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError
from tf_explainer.explanation.finished_run import load_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return root


@pytest.fixture
def command(run):
    def command(*arguments):
        layers = [f"--image_size={CROP}", "--target_layer=block"]
        with flagsaver.flagsaver():
            flags.FLAGS(["export", f"--workdir={run}", *layers, *arguments])
            export.main([])

    return command


def test_a_run_is_exported(command, run, capsys):
    command()
    signature = tf.saved_model.load(str(run / "exported")).signatures["serve"]
    assert signature(image=tf.zeros([2, CROP, CROP, 3]))["scores"].shape == (2, len(CLASSES))
    assert f"[B, {CROP}, {CROP}, 3] and explains them by 2 parts" in capsys.readouterr().out
    assert json.loads((run / "exported" / "explainer.json").read_text())["classes"] == list(CLASSES)


def test_what_is_there_stays(command, tmp_path):
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(UserError, match=f"--output={tmp_path}: .*name another directory"):
        command(f"--output={tmp_path}")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_run_is_read_by_its_directory(run):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    explanation = load_run(str(run)).explain(image)
    assert explanation.class_name in CLASSES
    assert len(explanation.parts) == 2


def test_a_performer_elsewhere_is_named(run, tmp_path):
    file = run / "performer.keras"
    moved = tmp_path / "model.keras"
    file.rename(moved)
    try:
        with pytest.raises(UserError, match=r"there is no .*performer\.keras: name the network"):
            load_run(str(run))
        assert load_run(str(run), performer=str(moved)).class_names == CLASSES
        other = keras.models.load_model(moved)
        other.layers[-1].kernel.assign_add(keras.ops.ones_like(other.layers[-1].kernel))
        other.save(tmp_path / "other.keras")
        with pytest.raises(UserError, match="fingerprint"):
            load_run(str(run), performer=str(tmp_path / "other.keras"))
    finally:
        moved.rename(file)
