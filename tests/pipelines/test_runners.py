"""Every runner makes the same files, to the byte. `make test_runners` runs it."""

import json

import pytest
from PIL import Image

from tests.pipelines import runners
from tests.pipelines.squares import files, pixels

IMAGES, TORN = 40, 2


@pytest.fixture(name="command", scope="module")
def _command(performer, tmp_path_factory):
    """Extraction from a folder of two classes in which two images are torn."""
    data = tmp_path_factory.mktemp("images")
    for number in range(IMAGES):
        folder = data / ("cat" if number % 2 else "dog")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels(number)).save(folder / f"{number}.png")
    for name in ("cat/1.png", "dog/2.png"):
        (data / name).write_bytes((data / name).read_bytes()[:500])
    return [
        "--dataset=folder",
        f"--data_dir={data}",
        f"--performer={performer.config.performer}",
        "--image_size=32",
        "--target_layer=conv",
        "--num_shards=5",
        "--max_dead_letters=0.1",
    ]


@pytest.fixture(name="expected", scope="module")
def _expected(command, tmp_path_factory):
    """What the runner in one process makes."""
    folder = tmp_path_factory.mktemp("expected")
    runners.extract([*command, f"--workdir={folder}"], folder / "log")
    return files(folder / "features")


@pytest.mark.slow
def test_nothing_is_lost(expected):
    manifest = json.loads(expected["manifest.json"])
    assert (manifest["inputs"], manifest["outputs"], manifest["dead_letters"]) == (
        IMAGES,
        IMAGES - TORN,
        TORN,
    )
    assert len(expected["dead_letters.jsonl"].splitlines()) == TORN


@pytest.mark.slow
@pytest.mark.parametrize("runner", runners.RUNNERS[1:])
def test_every_runner_makes_the_same_files(runner, command, expected, tmp_path):
    if reason := runners.missing(runner):
        pytest.skip(reason)
    with runners.options(runner) as options:
        said = runners.extract([*command, f"--workdir={tmp_path}", *options], tmp_path / "log")
    decided, counted, balance, *_ = said.splitlines()
    assert decided.startswith("By the rule in docs/performers.md: reconstructed layers fc1, fc2.")
    assert counted == "Images: 20 of cat, 20 of dog"
    assert balance.startswith(f"{IMAGES} images in = {IMAGES - TORN} records + {TORN} dead letters")
    assert files(tmp_path / "features") == expected
