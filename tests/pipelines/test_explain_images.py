"""Images to lines of JSON, as a person types it."""

import json
import shutil
import subprocess

import keras
import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from pipelines import explain_images
from pipelines.image_explanations import named_images
from tests.pipelines import memory_file_system
from tests.support import warm_python
from tests.support.evaluation_example import CROP
from tests.support.small_run import write_run
from tests.support.small_training import small_performer
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError
from tf_explainer.explanation.finished_run import load_run

READABLE = 5


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Five images in two folders, what is torn, and what is no image."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(READABLE):
        path = folder / ("cats" if number % 2 else "foxes") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (50, 60 + number, 3), np.uint8)).save(path)
    (folder / "foxes" / "torn.jpg").write_bytes(b"no image")
    (folder / "foxes" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    write_run(root)
    return root


def arguments(workdir, *others):
    return [f"--workdir={workdir}", f"--image_size={CROP}", "--target_layer=block", *others]


@pytest.fixture
def explain(workdir, tmp_path):
    """Runs the binary in this process, and returns the lines and the dead letters."""

    def explain(*others, workdir=workdir):
        with flagsaver.flagsaver():
            output = f"--explanations_file={tmp_path}/found.jsonl"
            given = arguments(workdir, "--extraction_batch_size=2", output, *others)
            explain_images.main(flags.FLAGS(["program", *given], known_only=True)[1:])
        dead = (tmp_path / "found.dead_letters.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines_of(tmp_path)], [json.loads(line) for line in dead]

    return explain


def lines_of(folder):
    files = [path for path in folder.glob("found*.jsonl") if "dead" not in path.name]
    return [line for path in files for line in path.read_text().splitlines()]


def test_every_image_is_explained_or_named_with_the_reason(explain, photos, workdir, tmp_path, capsys):
    lines, dead = explain(f"--image={photos}")
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "Explaining 6 images; the lines are written when all are done"
    assert last == f"6 images: 5 explained, 1 not (see {tmp_path}/found.dead_letters.jsonl)"
    (letter,) = dead
    assert letter["image"] == f"{photos}/foxes/torn.jpg"
    assert letter["kind"] == "no_image"
    assert "it is none of BMP" in letter["reason"]
    assert not list(tmp_path.glob("*temp*"))
    run = load_run(str(workdir))
    expected = {image: run.record(run.explain(image)) for image in map(str, sorted(photos.rglob("*.png")))}
    assert {line["image"] for line in lines} == set(expected)
    for line in lines:
        one = expected[line["image"]]
        assert line.keys() == one.keys()
        assert (line["explainer"], line["class"], line["method"]) == (
            run.fingerprint,
            one["class"],
            one["method"],
        )
        assert line["score_log_odds"] == pytest.approx(one["score_log_odds"], rel=1e-5)
        parts, alone = (each["contributions"]["parts"] for each in (line, one))
        assert [part["name"] for part in parts] == [part["name"] for part in alone]
        assert [part["contribution"] for part in parts] == pytest.approx(
            [part["contribution"] for part in alone], rel=1e-4
        )


def test_lines_are_divided_among_files(explain, photos, tmp_path, capsys):
    lines, dead = explain(f"--image={photos}/*/*.png", "--explanations_shards=3")
    assert len(lines) == READABLE
    assert not dead
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"found-0000{n}-of-00003.jsonl" for n in range(3)] + ["found.dead_letters.jsonl"]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "5 images: 5 explained, 0 not"
    assert "found-00000-of-00003.jsonl, ...: " in said[-2]


def test_a_second_run_takes_the_place_of_the_first(explain, photos):
    explain(f"--image={photos}/cats")
    lines, _ = explain(f"--image={photos}/foxes/0.png")
    assert [line["image"] for line in lines] == [f"{photos}/foxes/0.png"]


def test_a_class_can_be_named(explain, photos):
    lines, _ = explain(f"--image={photos}/cats", "--explained_class=negative")
    assert [line["class"] for line in lines] == ["negative"] * 2


def test_every_class_that_is_said_has_a_line(explain, photos, tmp_path, capsys):
    performer = small_performer("sigmoid")
    kernel, _ = performer.model.layers[-1].get_weights()
    performer.model.layers[-1].set_weights([0 * kernel, np.array([3.0, -3.0, 5.0])])
    (tmp_path / "several").mkdir()
    write_run(tmp_path / "several", performer)
    lines, _ = explain(f"--image={photos}/cats", workdir=tmp_path / "several")
    assert sorted((line["image"], line["class"]) for line in lines) == [
        (f"{photos}/cats/{number}.png", name) for number in (1, 3) for name in ("fox", "negative")
    ]
    assert capsys.readouterr().out.splitlines()[-1] == "2 images: 2 explained, 0 not"


def test_an_image_on_which_the_performer_fails_takes_no_other_along(explain, photos, tmp_path, monkeypatch):
    black = tmp_path / "photos"
    shutil.copytree(photos, black)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(black / "cats" / "2.png")
    predict = keras.Model.predict_on_batch

    def refuses_black(model, crops):
        if crops.dtype == np.uint8 and not crops.reshape(len(crops), -1).any(axis=1).all():
            raise ValueError("it is black")
        return predict(model, crops)

    monkeypatch.setattr(keras.Model, "predict_on_batch", refuses_black)
    lines, dead = explain(f"--image={black}/cats")
    assert sorted(line["image"] for line in lines) == [f"{black}/cats/{number}.png" for number in (1, 3)]
    assert dead == [
        {"image": f"{black}/cats/2.png", "kind": "network_fails", "reason": "ValueError: it is black"}
    ]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "--image is not set"),
        (["--image=nowhere/*.jpg"], "--image=nowhere/.*matches none"),
        (["--image={photos}", "--explained_class=bird"], "--explained_class=bird: there is no class 'bird'"),
        (["--image={photos}", "--target_layer=fc1"], "--target_layer=fc1"),
        (["--image={photos}", "--no_such=1"], "'--no_such=1' is neither a flag"),
        (["--image={photos}/foxes/torn.jpg"], "none of the 1 images can be explained: .*dead_letters.jsonl"),
    ],
)
def test_what_does_not_fit_is_refused(explain, photos, tmp_path, others, message):
    with pytest.raises(UserError, match=message):
        explain(*(each.format(photos=photos) for each in others))
    assert not (tmp_path / "found.jsonl").exists() or "torn" in others[0]


@pytest.mark.parametrize("missing", ["parts.json", "explainer.keras", "mean_features.npz", "features"])
def test_a_run_that_is_not_finished_is_refused_before_anything_is_read(
    explain, photos, workdir, tmp_path, missing
):
    unfinished = shutil.copytree(workdir, tmp_path / "unfinished")
    path = unfinished / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=missing):
        explain(f"--image={photos}", workdir=unfinished)
    assert not list(tmp_path.glob("found*"))


def test_a_run_of_another_performer_is_refused(explain, photos, workdir, tmp_path):
    other = shutil.copytree(workdir, tmp_path / "other")
    performer = small_performer()
    kernel, bias = performer.model.layers[-1].get_weights()
    performer.model.layers[-1].set_weights([2 * kernel, bias])
    performer.model.save(other / "performer.keras")
    with pytest.raises(UserError, match="performer"):
        explain(f"--image={photos}", workdir=other)
    assert not list(tmp_path.glob("found*"))


def test_a_run_and_images_in_a_bucket(photos, workdir, tmp_path, capsys):
    bucket = f"{memory_file_system.SCHEME}://bucket/explained"
    for root, name in ((workdir, "run"), (photos, "photos")):
        for path in root.rglob("*"):
            if path.is_file():
                place = f"{bucket}/{name}/{path.relative_to(root).as_posix()}"
                memory_file_system.FILES[place] = path.read_bytes()
    found = named_images.paths([f"{bucket}/photos/**"])
    assert found == [
        f"{bucket}/photos/{path.relative_to(photos)}" for path in sorted(photos.rglob("*.[pj]*g"))
    ]
    assert named_images.paths([found[0], f"{photos}/cats/1.png"]) == [found[0], f"{photos}/cats/1.png"]
    with flagsaver.flagsaver():
        given = arguments(
            f"{bucket}/run", f"--image={bucket}/photos/**", f"--explanations_file={tmp_path}/found.jsonl"
        )
        explain_images.main(flags.FLAGS(["program", *given], known_only=True)[1:])
    assert capsys.readouterr().out.splitlines()[-1].startswith("6 images: 5 explained, 1 not")
    assert sorted(json.loads(line)["image"] for line in lines_of(tmp_path)) == found[:5]
    with pytest.raises(UserError, match=r"--image=memory://.*nothing finds no image"):
        named_images.paths([f"{bucket}/nothing"])


def test_dataflow_is_refused_what_its_workers_cannot_reach(explain, photos):
    cloud = [
        "--runner=DataflowRunner",
        "--project=a-project",
        "--region=us-central1",
        "--temp_location=gs://a-bucket/t",
    ]
    with pytest.raises(UserError, match=r"--workdir=.* is on this machine|needs Google Cloud's packages"):
        explain(f"--image={photos}", *cloud)


def test_it_is_a_command(photos, workdir, tmp_path):
    output = f"--explanations_file={tmp_path}/found.jsonl"
    given = arguments(workdir, f"--image={photos}", output)
    result = warm_python.run("-m", "tf_explainer", "explain-images", *given)
    assert result.returncode == 0, result.stderr
    assert "6 images: 5 explained, 1 not" in result.stdout
    assert len(lines_of(tmp_path)) == READABLE


@pytest.mark.slow
def test_two_processes_say_the_same_as_one(explain, photos, workdir, tmp_path):
    expected, _ = explain(f"--image={photos}")
    output = tmp_path / "several" / "found.jsonl"
    command = [
        *("-m", "pipelines.explain_images"),
        *arguments(
            workdir, f"--image={photos}", "--extraction_batch_size=2", f"--explanations_file={output}"
        ),
        *("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
    ]
    result = subprocess.run(
        [warm_python.sys.executable, *command],
        cwd=warm_python.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-1].startswith("6 images: 5 explained, 1 not")
    found = [json.loads(line) for line in lines_of(output.parent)]
    assert sorted(found, key=by_image) == sorted(expected, key=by_image)


def by_image(line):
    return line["image"]
