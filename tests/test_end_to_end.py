"""The chain as a person types it, small: every step by its command, and what they say to bad input."""

import itertools
import json
import math
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.command_line.test_terminal import TALK
from tests.support import warm_python

ROOT = pathlib.Path(__file__).resolve().parents[1]
SMALL = (
    "--flagfile=configs/demo.flags",
    "--num_images=80",
    "--performer_epochs=1",
    "--backbone_alpha=0.25",
    "--image_size=64",
    "--steps=0",
    "--epochs=2",
    "--num_shards=3",
    "--attribution_steps=8",
    "--summary_images=12",
    "--snapshot_images=12",
)
# Processes of their own, which may talk too.
WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
# Steps where libraries have the most to say, with flags of their own: nothing is imported before they begin.
FRESH = {"pipelines.extract_features": WORKERS, "tf_explainer.export": ()}
STEPS = (
    "tf_explainer.train_performer",
    "pipelines.extract_features",
    "tf_explainer.train",
    "tf_explainer.evaluate",
    "tf_explainer.explain",
    "tf_explainer.export",
)


def run(binary, *arguments):
    """In a process of its own from the start, as a person's command is."""
    return subprocess.run(
        [sys.executable, "-m", binary, *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """All steps, once; the run's directory, and what each step printed and wrote as errors."""
    workdir = tmp_path_factory.mktemp("run")
    printed, errors = {}, {}
    for binary in STEPS:
        arguments = (*SMALL, f"--workdir={workdir}", *FRESH.get(binary, ()))
        result = run(binary, *arguments) if binary in FRESH else warm_python.run("-m", binary, *arguments)
        assert result.returncode == 0, f"{binary}: {result.stderr[-3000:]}"
        printed[binary], errors[binary] = result.stdout, result.stderr
    return workdir, printed, errors


def test_every_step_leaves_what_the_next_one_needs(chain):
    workdir, *_ = chain
    for name in (
        "performer.keras",
        "features/manifest.json",
        "explainer.keras",
        "run.json",
        "metrics.json",
        "parts.png",
        "exported/saved_model.pb",
    ):
        assert (workdir / name).stat().st_size > 0, name
    assert list((workdir / "tensorboard").glob("events.out.tfevents.*"))
    assert list((workdir / "checkpoints").glob("epoch-0002-*/variables.index"))
    assert not [path for path in workdir.rglob("*") if path.name.startswith(".")], "a temporary file was left"


def test_libraries_are_quiet_and_progress_is_told_in_whole_lines(chain):
    for binary, errors in chain[2].items():
        said = errors + chain[1][binary]
        assert not TALK.search(said), f"{binary}: {said}"
        assert "\r" not in said
        assert "?" not in errors
    for line in chain[2]["tf_explainer.train"].splitlines():
        assert re.match(
            r"(training|epoch \d/2): \d+/\d+ steps|epoch \d, held-out images: loss |A snapshot", line
        )
    counts = re.findall(r": (\d+)/(\d+) steps", chain[2]["tf_explainer.train"])
    assert counts[-1][0] == counts[-1][1]


def test_every_step_ends_with_the_command_of_the_next(chain):
    for binary, following in itertools.pairwise(STEPS):
        last = chain[1][binary].splitlines()[-1]
        flags = [*SMALL, f"--workdir={chain[0]}"]
        assert shlex.split(last) == ["Next:", sys.executable, "-m", following, *flags]


def test_metrics_have_every_measure(chain):
    metrics = json.loads((chain[0] / "metrics.json").read_text())
    assert set(metrics) >= {"layers", "part_share", "fidelity", "images", "categories"}
    assert set(metrics["layers"]) == {"performer", "conv_interp_1", "conv_interp_2"}
    for layer in metrics["layers"].values():
        assert set(layer) >= {
            "location_instability",
            "fixed_centre_instability",
            "tracking",
            "part_interpretability",
            "dead_filters",
            "filters",
            "independent_parts",
            "tracked_landmarks",
        }
        assert set(layer["tracking"]) >= {
            "median_ratio",
            "median_ratio_all_images",
            "share_below_1",
            "share_below_half",
        }
        assert set(layer["tracked_landmarks"]) == {"head", "torso", "legs", "tail"}
    assert 0 < metrics["part_share"] < 1
    assert set(metrics["fidelity"]) >= {
        "relative_error",
        "performer_accuracy",
        "explainer_accuracy",
        "agreement",
    }
    assert all(math.isfinite(error) for error in metrics["fidelity"]["relative_error"].values())


def test_the_table_is_printed(chain):
    table = chain[1]["tf_explainer.evaluate"]
    for word in ("performer", "conv_interp_1", "conv_interp_2", "location instability"):
        assert word in table.lower(), word


def test_the_contact_sheet_is_a_picture(chain):
    with Image.open(chain[0] / "parts.png") as sheet:
        assert sheet.width > 400
        assert np.asarray(sheet.convert("L")).std() > 10


def test_the_explainer_is_a_keras_model(chain):
    code = (
        "import keras, tf_explainer;"
        f"e = keras.models.load_model(r'{chain[0] / 'explainer.keras'}');"
        "keras.Model(e.input, e.get_layer('conv_interp_2').output).summary()"
    )
    result = warm_python.run("-c", code)
    assert result.returncode == 0, result.stderr


def test_running_a_finished_step_again_changes_nothing(chain):
    workdir, *_ = chain
    names = ("performer.keras", "features/manifest.json", "metrics.json", "parts.png", "summary.json")
    before = {name: (workdir / name).stat().st_mtime_ns for name in names}
    for binary in STEPS[:4]:
        again = warm_python.run("-m", binary, *SMALL, f"--workdir={workdir}")
        assert again.returncode == 0, again.stderr
    assert {name: (workdir / name).stat().st_mtime_ns for name in names} == before
    assert "evaluated with these settings before" in again.stdout
    first = chain[1]["tf_explainer.evaluate"]
    assert first[: first.rindex("Next:")] in again.stdout


def test_an_evaluation_with_other_settings_or_a_file_less_is_made_anew(chain):
    workdir, *_ = chain
    for change in ("--top_images=99", ""):
        command = filter(None, ("-m", "tf_explainer.evaluate", *SMALL, f"--workdir={workdir}", change))
        (workdir / "summary.png").unlink()
        again = warm_python.run(*command)
        assert again.returncode == 0, again.stderr
        assert "evaluated with these settings before" not in again.stdout
        assert (workdir / "summary.png").exists()


@pytest.mark.parametrize(
    ("binary", "flags", "words"),
    [
        (
            "tf_explainer.train_performer",
            ("--dataset=folder", "--data_dir=/nowhere"),
            ("/nowhere", "--data_dir"),
        ),
        ("tf_explainer.train_performer", ("--categories=unicorn",), ("unicorn",)),
        ("tf_explainer.train_performer", ("--backbone=vgg61",), ("vgg61", "VGG16")),
        ("tf_explainer.train_performer", ("--no_such_flag=1",), ("no_such_flag",)),
        ("pipelines.extract_features", (), ("train_performer",)),
        ("pipelines.extract_features", ("--runnner=FnApiRunner",), ("runnner",)),
        ("tf_explainer.train", (), ("manifest", "pipelines.extract_features")),
        ("tf_explainer.evaluate", (), ("pipelines.extract_features",)),
    ],
)
def test_bad_input_gets_one_readable_message(tmp_path, binary, flags, words):
    result = warm_python.run("-m", binary, *SMALL, f"--workdir={tmp_path}", *flags)
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize(
    ("binary", "flags", "words"),
    [
        ("pipelines.extract_features", ("--target_layer=conv_pw_11",), ("conv_pw_11",)),
        ("pipelines.extract_features", ("--num_images=81",), ("--overwrite",)),
        ("tf_explainer.train", ("--filter_weight=3",), ("filter_weight", "--noresume")),
    ],
)
def test_a_workdir_of_other_settings_is_refused(chain, binary, flags, words):
    record = (chain[0] / "run.json").read_bytes()
    result = warm_python.run("-m", binary, *SMALL, f"--workdir={chain[0]}", *flags)
    assert (chain[0] / "run.json").read_bytes() == record
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
