"""What a reader types from README and docs runs, on small networks and images."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support.documented_code import ROOT, blocks, small_classifier, write_photographs
from tests.support.small_run import write_run
from tf_explainer.explanation import saved_model

GUIDE = "docs/your_own_model.md"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with the runs, exports and images that the documents speak of."""
    folder = tmp_path_factory.mktemp("reader")
    run = write_run(folder / "runs/vgg_fox")
    shutil.copytree(folder / "runs/vgg_fox", folder / "runs/mine")
    (folder / "runs/mine/performer.keras").rename(folder / "model.keras")
    saved_model.save(str(folder / "exported/fox"), run)
    write_photographs(folder / "photos", count=1)
    shutil.copy(folder / "photos/cat/1.jpg", folder / "fox.jpg")
    return folder


def run_python(document, known):
    for block in blocks(document, "python"):
        exec(compile(block, document, "exec"), known)
    return known


def test_the_readme(runs, monkeypatch):
    monkeypatch.chdir(runs)
    known = run_python("README.md", {})
    assert len(known["explanation"].parts) == 2
    assert np.asarray(Image.open("explained.png")).std() > 10


def test_the_explainer_itself(runs, monkeypatch):
    monkeypatch.chdir(runs)
    known = run_python("docs/explanations.md", {})
    assert known["parts"].output_shape[1:3] == known["explainer"].feature_shape[:2]


def test_the_export(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    known = run_python("docs/export.md", {})
    assert known["out"]["part_place"].shape == (1, 2, 2)
    assert "tf.Tensor" in capsys.readouterr().out


def test_the_tabs_of_tensorboard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (6, 224, 224, 3), np.uint8)
    known = {"model": small_classifier(), "images": images, "labels": [0, 1] * 3}
    with tf.summary.create_file_writer("logs/images").as_default():
        run_python("docs/tensorboard.md", known)
    assert list(pathlib.Path("logs/parts").glob("events*"))


def test_the_guide_in_python(runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    (block,) = blocks(GUIDE, "python")
    # The small performer's images are its own pixels.
    exec(compile(block.replace(', preprocessing="vgg16"', ""), GUIDE, "exec"), {})
    assert "head" in capsys.readouterr().out
    assert (runs / "explained.png").exists()


@pytest.mark.slow
@pytest.mark.long
def test_the_guide_from_its_first_to_its_last_command(tmp_path):
    write_photographs(tmp_path / "photos")
    small_classifier().save(tmp_path / "model.keras")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    this_python = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    commands = [("bash", "-ec", this_python + block) for block in blocks(GUIDE, "sh")]
    commands += [(sys.executable, "-c", block) for block in blocks(GUIDE, "python")]
    assert len(commands) >= 6
    for command in commands:
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{command[-1]}\n{result.stderr[-3000:]}"
    for name in ("explained.png", "exported/mine/saved_model.pb", "runs/mine/explanations/report.html"):
        assert (tmp_path / name).stat().st_size > 0, name
    assert len(list((tmp_path / "runs/mine/explanations").glob("*.png"))) == 12
