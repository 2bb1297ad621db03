"""Each builder is prepared from files in the official layout, and read back as any data set is."""

import collections
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tests.datasets import birds, test_pascal_part
from tests.datasets.matlab_files import save_v5, save_v73
from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import animal_part, builders, registry
from tf_explainer.errors import UserError
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop
from tf_explainer.images.record import Box, Landmark

NAMES = ["creatures", "cub200_parts", "ilsvrc_animal_part", "pascal_part_animals"]


def write_negatives(manual_dir, count=10):
    folder = manual_dir / animal_part._NEGATIVES
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        Image.new("RGB", (50, 40), "white").save(folder / f"{number:05d}.JPEG")


def write_animals(manual_dir):
    """Two foxes (MATLAB 5) and a goldfish (7.3) of the Animal-Part benchmark."""
    for synset, count, save in (("n02118333", 2, save_v5), ("n01443537", 1, save_v73)):
        folder = manual_dir / "detanimalpart" / f"{synset}_obj" / "img"
        truth = manual_dir / animal_part._LANDMARKS / synset
        for each in (folder / "img", truth):
            each.mkdir(parents=True)
        box = {"xmin": 11.0, "ymin": 6.0, "xmax": 50.0, "ymax": 45.0}
        save(folder / "data.mat", "samples", [{"obj": {"bndbox": box}}] * count)
        head = {"pHW_center": np.array([[112.5, 56.5]]), "pHW_scale": np.array([[56.0, 28.0]])}
        save(truth / "truth_part01.mat", "truth", [head] * count)
        for number in range(1, count + 1):
            Image.new("RGB", (64, 48), "orange").save(folder / "img" / f"{number:05d}.jpg")


@pytest.fixture
def data_dir(tmp_path):
    """Where tensorflow-datasets looks by itself for what was downloaded by hand: downloads/manual."""
    (tmp_path / "downloads" / "manual").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def manual_dir(data_dir):
    return data_dir / "downloads" / "manual"


def _open(data_dir, dataset, *categories, **settings):
    return registry.open_source(
        DatasetConfig(dataset=dataset, data_dir=str(data_dir), categories=categories, **settings)
    )


def _counts(source):
    return collections.Counter(source.classes[reference.label] for reference in source.references())


def test_all_are_registered():
    assert set(NAMES) <= set(tfds.list_builders(with_community_datasets=False))
    assert [tfds.builder_cls(name).__name__ for name in NAMES] == builders.__all__


@pytest.mark.parametrize("config", ["cub200_parts/bird", "ilsvrc_animal_part", "pascal_part_animals"])
def test_what_a_person_must_do_by_hand_is_said(config, data_dir):
    (data_dir / "downloads/manual/CUB_200_2011").mkdir()
    with pytest.raises(UserError, match=rf"(?s)--dataset={config} is not prepared.*tfds build {config}"):
        list(_open(data_dir, config).references())


def test_animal_part(data_dir, manual_dir):
    write_animals(manual_dir)
    write_negatives(manual_dir, 3)
    source = _open(data_dir, "ilsvrc_animal_part")
    assert source.landmark_names == ("head", "frontal_legs")
    assert _counts(source) == {"fox": 2, "goldfish": 1, "negative": 3}
    direct = registry.open_source(DatasetConfig(dataset="animal_part", data_dir=str(manual_dir)))
    expected = {
        (direct.classes[r.label], r.box or Box(xmin=0, ymin=0, xmax=50, ymax=40), *r.landmarks.values())
        for r in direct.references()
    }
    assert {(source.classes[r.label], r.box, *r.landmarks.values()) for r in source.references()} == expected


@pytest.mark.slow
def test_real_animal_part(shared_datasets, data_dir, manual_dir):
    for repository in ("detanimalpart", "interpretableCNN"):
        (manual_dir / repository).symlink_to(shared_datasets / repository)

    def rows(dataset, folder):
        source = _open(folder, dataset, "cat", "fox", "giant panda", "turtle", negatives=False)
        for reference in source.references():
            parts = [reference.landmarks.get(name, Landmark(x=-1, y=-1)) for name in source.landmark_names]
            places = [[part.x, part.y, part.width, part.height] for part in parts]
            box = reference.box
            yield [reference.label, box.xmin, box.ymin, box.xmax, box.ymax, *places[0], *places[1]]

    prepared = np.array(list(rows("ilsvrc_animal_part", data_dir)))
    direct = np.array(list(rows("animal_part", shared_datasets)))
    assert prepared.shape == direct.shape == (286 + 538 + 529 + 193, 13)
    # Prepared examples come in an order of their own.
    distances = np.abs(prepared[:, None] - direct[None]).max(axis=-1)
    assert distances.min(axis=1).max() < 1e-3
    assert distances.min(axis=0).max() < 1e-3


def test_animal_part_by_category(data_dir, manual_dir):
    write_animals(manual_dir)
    write_negatives(manual_dir, 3)
    source = _open(data_dir, "ilsvrc_animal_part", "fox", negatives=False)
    assert source.classes == ("fox",)
    reference, record = next(source.read(source.references()))
    assert reference.box == Box(xmin=10, ymin=5, xmax=50, ymax=45)
    assert crop_to_object(record, 32).shape == (32, 32, 3)
    np.testing.assert_allclose(
        landmarks_in_crop(record, source.landmark_names),
        [[112 / 224, 56 / 224, 56 / 224, 28 / 224], [np.nan] * 4],
        atol=1e-6,
    )


def test_birds_by_species(data_dir, manual_dir):
    birds.write(manual_dir / "CUB_200_2011")
    source = _open(data_dir, "cub200_parts")
    assert len(source.classes) == 200
    assert source.landmark_names[:2] == ("back", "beak")
    assert _counts(source) == {"001.Bird_1": 2, "002.Bird_2": 2}
    assert _counts(_open(data_dir, "cub200_parts", split="test")) == {"003.Bird_3": 2}
    reference = next(r for r in source.references() if r.landmarks["back"].y == 4)
    assert reference.box == Box(xmin=4, ymin=3, xmax=24, ymax=27)
    assert reference.landmarks["left_eye"] == Landmark(x=7.5, y=4)
    assert "throat" not in reference.landmarks


def test_birds_as_one_category(data_dir, manual_dir):
    birds.write(manual_dir / "CUB_200_2011")
    write_negatives(manual_dir)
    source = _open(data_dir, "cub200_parts/bird")
    assert source.classes == ("bird", "negative")
    assert source.negative_class == "negative"
    assert _counts(source) == {"bird": 4, "negative": 8}
    assert _counts(_open(data_dir, "cub200_parts/bird", split="test")) == {"bird": 2, "negative": 2}
    assert all(r.landmarks == {} for r in source.references() if r.label == 1)


def test_the_birds_archive_is_checked(data_dir, manual_dir):
    (manual_dir / "CUB_200_2011.tgz").write_bytes(b"something else")
    with pytest.raises(UserError, match=r"(?s)cub200_parts is not prepared.*(checksum|Checksum|sha)"):
        _open(data_dir, "cub200_parts")


def test_pascal_animals(data_dir, manual_dir):
    test_pascal_part.write(manual_dir, "2008_000001", [test_pascal_part.DOG])
    test_pascal_part.write(manual_dir, "2008_000002", [test_pascal_part.COW, test_pascal_part.DOG])
    write_negatives(manual_dir, 2)
    source = _open(data_dir, "pascal_part_animals")
    assert source.classes == ("bird", "cat", "cow", "dog", "horse", "sheep")
    assert _counts(source) == {"dog": 2, "cow": 1}
    dog = next(reference for reference in source.references() if reference.label == 3)
    assert dog.box == Box(xmin=10, ymin=20, xmax=70, ymax=80)
    assert dog.landmarks["head"] == Landmark(x=19, y=30, width=22, height=20)
    single = _open(data_dir, "pascal_part_animals/with_negatives", "dog")
    assert _counts(single) == {"dog": 2, "negative": 2}


def test_real_pascal_animals(shared_datasets, data_dir, manual_dir):
    examples = shared_datasets / "pascal_part_examples"
    for suffix, folder in ((".jpg", "VOCdevkit/VOC2010/JPEGImages"), (".mat", "Annotations_Part")):
        (manual_dir / folder).mkdir(parents=True)
        for file in examples.glob(f"*{suffix}"):
            (manual_dir / folder / file.name).symlink_to(file)
    source = _open(data_dir, "pascal_part_animals")
    assert _counts(source) == {"bird": 3, "cat": 3, "dog": 3, "horse": 1}
    for _, record in source.read(source.references()):
        places = landmarks_in_crop(record, source.landmark_names)[:, :2]
        assert np.nanmin(places) >= 0
        assert np.nanmax(places) <= 1


def test_creatures_as_files_are_the_drawn_ones(data_dir, monkeypatch):
    few = registry.open_source(DatasetConfig(dataset="creatures", num_images=7))
    monkeypatch.setattr(sys.modules["tf_explainer.datasets.builders.creatures"], "_SOURCE", few)
    tfds.builder("creatures", data_dir=data_dir).download_and_prepare()
    source = _open(data_dir, "creatures:3.0.0")
    assert source.landmark_names == few.landmark_names
    expected = {r.landmarks.get("head"): record.image for r, record in few.read(few.references())}
    heads = [landmark for landmark in expected if landmark]
    seen = 0
    for reference, record in source.read(source.references()):
        if reference.landmarks:
            nearest = min(heads, key=lambda head: abs(head.x - reference.landmarks["head"].x))
            np.testing.assert_array_equal(record.image, expected[nearest])
            seen += 1
    assert seen == len(heads) == 6


def test_a_missing_photograph_is_named(data_dir, manual_dir):
    birds.write(manual_dir / "CUB_200_2011")
    (manual_dir / "CUB_200_2011/images/001.Bird_1/Bird_0000.jpg").unlink()
    with pytest.raises(UserError, match=r"Bird_0000\.jpg: its size cannot be read"):
        _open(data_dir, "cub200_parts")


def test_checksums_are_those_of_the_archives():
    lines = pathlib.Path(builders.__file__).with_name("checksums.tsv").read_text().splitlines()
    for line in lines:
        url, size, sha256, name = line.split("\t")
        assert name in url
        assert int(size) > 0
        assert re.fullmatch(r"[0-9a-f]{64}", sha256)


@pytest.mark.slow
def test_tfds_build_prepares_them(data_dir, manual_dir):
    pytest.importorskip("mlcroissant", reason="the command tfds needs it: pip install tf-explainer[tfds]")
    birds.write(manual_dir / "CUB_200_2011")
    program = [sys.executable, "-m", "tensorflow_datasets.scripts.cli.main", "build", "cub200_parts/species"]
    command = [*program, f"--data_dir={data_dir}", "--imports=tf_explainer.datasets.builders"]
    subprocess.run(command, check=True, capture_output=True)
    assert tfds.builder("cub200_parts", data_dir=data_dir).is_prepared()
