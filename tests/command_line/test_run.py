"""All steps by one command: what is taken for granted, what ends it, and the whole of it on a folder."""

import dataclasses
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from tf_explainer.command_line import flags, run
from tf_explainer.config import WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performer.report import PerformerReport

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "assumed"),
    [
        (["--data_dir=a/photos/", "--views=shift"], ["--dataset=folder", "--workdir=runs/photos"]),
        (["--data_dir=a/photos/*/*.jpg", "--views="], ["--dataset=folder", "--workdir=runs/photos"]),
        (
            ["--data_dir=gs://bucket/my photos/"],
            ["--dataset=folder", "--workdir=runs/my_photos", "--views=flip"],
        ),
        (["--dataset=creatures"], ["--workdir=runs/creatures", "--views=flip"]),
        (["--dataset=creatures", "--workdir=runs/here"], ["--views=flip"]),
    ],
)
def test_what_is_left_out_is_taken_for_granted(given, assumed):
    with flagsaver.flagsaver():
        flags.FLAGS(["program", *given])
        assert run._assume() == assumed
        assert f"--workdir={flags.workdir().root}" in [*assumed, *given]
        if "--views=flip" in assumed:
            assert flags.extraction().views == ("flip",)


def test_images_have_to_be_named():
    with flagsaver.flagsaver(), pytest.raises(UserError, match="--data_dir=photos"):
        run._assume()


def test_a_head_is_trained_where_there_is_none(tmp_path):
    workdir = WorkDir(root=str(tmp_path))
    with flagsaver.flagsaver(performer="model.keras"):
        assert not run._needs_head(workdir)
    with flagsaver.flagsaver(own_head=True):
        assert not run._needs_head(workdir)
        report = PerformerReport.of_own_head("f", ["a", "b"])
        (tmp_path / "performer.json").write_text(report.to_json())
        assert not run._needs_head(workdir)
        report = dataclasses.replace(report, settings={"dataset": {}})
        (tmp_path / "performer.json").write_text(report.to_json())
        with pytest.raises(UserError, match=r"--own_head: .*performer\.keras already has a trained head"):
            run._needs_head(workdir)
    with flagsaver.flagsaver():
        assert run._needs_head(workdir)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=creatures", "--held_out_fold=10"], "--held_out_fold=10"),
        (["--dataset=creatures", "--stesp=60"], "--stesp=60.*--steps"),
    ],
)
def test_mistakes_are_told_before_the_first_step(arguments, words, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "_run", lambda *_: pytest.fail("a step was run"))
    monkeypatch.chdir(tmp_path)
    with flagsaver.flagsaver():
        _, *unknown = flags.FLAGS(["program", *arguments], known_only=True)
        with pytest.raises(UserError, match=words):
            run.main(unknown)


@pytest.fixture
def step(tmp_path, monkeypatch):
    """A step that ends as its argument says, and its name."""
    (tmp_path / "a_step.py").write_text(
        "import os, pathlib, signal, sys, time\n"
        "if sys.argv[1] == 'wait':\n"
        "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "    pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "elif sys.argv[1] == 'die':\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.exit(int(sys.argv[1]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_step"


def test_a_steps_exit_status_is_that_of_the_command(step):
    assert [run._run(step, [code]) for code in ("0", "3")] == [0, 3]
    assert run._run(step, ["die"]) == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_left_to_the_step_and_ends_the_command(step, tmp_path, number):
    started, before = tmp_path / "started", signal.getsignal(number)

    def send():
        while not started.exists() or not started.read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        if number == signal.SIGINT:  # As a terminal does: to both.
            os.kill(int(started.read_text()), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    # The step saves what it has, and ends as if nothing were wrong.
    assert run._run(step, ["wait", str(started)]) == 128 + number
    sender.join()
    assert signal.getsignal(number) is before


def photographs(folder):
    """Two classes that one can tell by colour."""
    numbers = np.random.default_rng(0)
    marks = ["file,square_x,square_y"]
    for name, colour in (("blue", 2), ("red", 0)):
        (folder / name).mkdir(parents=True)
        for index in range(30):
            pixels = numbers.integers(0, 120, (40, 40, 3), np.uint8)
            y, x = numbers.integers(0, 24, 2)
            pixels[y : y + 16, x : x + 16, colour] = 255
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
            marks.append(f"{name}/{index}.png,{x + 8},{y + 8}")
    (folder.parent / "marks.csv").write_text("\n".join(marks))


def small_network(path):
    image = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    for width in (8, 16):
        convolution = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{width}")
        x = keras.layers.MaxPooling2D()(convolution(x))
    x = keras.layers.Dense(8, "relu", name="fc1")(keras.layers.Flatten()(x))
    keras.Model(image, keras.layers.Dense(2, "softmax")(x)).save(path)


@pytest.mark.slow
def test_from_a_folder_to_the_report_and_again(tmp_path):
    photographs(tmp_path / "photos")
    small_network(tmp_path / "model.keras")
    small = "--image_size=32 --steps=4 --num_shards=2 --parts=4 --attribution_steps=4 --snapshot_images=8"
    command = [
        *(sys.executable, "-m", "tf_explainer", "run"),
        *("--data_dir=photos", "--performer=model.keras", "--target_layer=conv16", *small.split()),
        *("--annotations=marks.csv", "--direct_num_workers=1"),
    ]

    def everything():
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    first = everything()
    assert first.returncode == 0, first.stderr[-3000:]
    assert "Assumed: --dataset=folder --workdir=runs/photos --views=flip\n" in first.stdout
    titles = [line for line in first.stdout.splitlines() if line.startswith("Step ")]
    names = ("extract_features", "train", "evaluate", "explain")
    assert titles == [f"Step {number} of 4: {name}" for number, name in enumerate(names, 1)]
    assert "Next:" not in first.stdout
    report = tmp_path / "runs" / "photos" / "explanations" / "report.html"
    assert f"The report:         {report.relative_to(tmp_path)}" in first.stdout
    assert report.stat().st_size > 10_000
    metrics = json.loads((tmp_path / "runs" / "photos" / "metrics.json").read_text())
    assert set(metrics["parts"]["landmarks"]) == {"square"}
    assert "Images: 30 of blue, 30 of red" in first.stdout
    last = shlex.split(first.stdout.splitlines()[-1].partition(":")[2])
    assert last[2:5] == ["tf_explainer.explain", "--dataset=folder", "--workdir=runs/photos"]
    assert last[-1] == "--image=..."
    assert "--direct_num_workers=1" not in last

    kept = [
        tmp_path / "runs" / "photos" / name
        for name in ("metrics.json", "parts.png", "features/manifest.json")
    ]
    before = [path.stat().st_mtime_ns for path in kept]
    second = everything()
    assert second.returncode == 0, second.stderr[-3000:]
    assert [path.stat().st_mtime_ns for path in kept] == before
    for said in ("features is complete", "evaluated with these settings before; the results are kept"):
        assert said in second.stdout
    assert "already trained to the end, and is kept" in second.stderr

    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "red" / "one_more.png")
    third = everything()
    assert third.returncode == 1
    assert "was made from 60 images: shards whose images have changed are recomputed" in third.stdout
    assert json.loads(kept[2].read_text())["inputs"] == 61
    # What was trained for hours is not thrown away without a word.
    assert "start over with --noresume" in third.stderr
    assert "Stopped in step 2 of 4, train. Finished work is kept" in third.stderr
