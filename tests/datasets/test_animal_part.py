import collections
import pickle
import shutil

import numpy as np
import pytest
import scipy.io
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import animal_part, matlab, registry
from tf_explainer.errors import UserError
from tf_explainer.images.crop import landmarks_in_crop
from tf_explainer.images.record import Box, Landmark

FOX = "n02118333"


def _struct_array(elements):
    array = np.zeros((len(elements), 1), [(name, object) for name in elements[0]])
    for row, element in zip(array, elements, strict=True):
        for name, value in element.items():
            row[0][name] = value
    return array


def _sample(xmin, ymin, xmax, ymax):
    return {"obj": {"bndbox": {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}}, "class": 1.0}


def _truth(centre, scale=(10.0, 20.0)):
    return {"pHW_center": np.array([centre]), "pHW_scale": np.array([scale if centre else ()])}


@pytest.fixture
def benchmark(tmp_path):
    """Three foxes, one of which has no file, one grey goldfish without legs, two negatives."""
    truth = tmp_path / animal_part._LANDMARKS
    for synset, samples, heads in (
        (
            FOX,
            [_sample(11, 21, 30, 60), _sample(1, 1, 90, 50), _sample(3, 3, 8, 8)],
            [(112.5, 112.5), (), (1.0, 224.0)],
        ),
        ("n01443537", [_sample(1, 1, 80, 60)], [(50.0, 60.0)]),
    ):
        folder = tmp_path / "detanimalpart" / f"{synset}_obj" / "img"
        (folder / "img").mkdir(parents=True)
        scipy.io.savemat(folder / "data.mat", {"samples": _struct_array(samples)})
        (truth / synset).mkdir(parents=True)
        scipy.io.savemat(
            truth / synset / "truth_part01.mat", {"truth": _struct_array([_truth(h) for h in heads])}
        )
    scipy.io.savemat(
        truth / FOX / "truth_part02.mat",
        {"truth": _struct_array([_truth((200.0, 100.0)), _truth(()), _truth(())])},
    )
    pictures = tmp_path / "detanimalpart"
    Image.new("RGB", (80, 60), "orange").save(pictures / f"{FOX}_obj" / "img" / "img" / "00001.jpg")
    Image.new("CMYK", (80, 60)).save(pictures / f"{FOX}_obj" / "img" / "img" / "00002.jpg")
    Image.new("L", (80, 60), 77).save(pictures / "n01443537_obj" / "img" / "img" / "00001.jpg")
    (tmp_path / animal_part._NEGATIVES).mkdir(parents=True)
    for name in ("00002.JPEG", "00001.JPEG"):
        Image.new("RGB", (50, 40)).save(tmp_path / animal_part._NEGATIVES / name)
    return tmp_path


def _open(folder, *categories, **settings):
    return registry.open_source(
        DatasetConfig(dataset="animal_part", data_dir=str(folder), categories=categories, **settings)
    )


def test_order_labels_and_ids(benchmark):
    source = _open(benchmark)
    assert source.classes == ("goldfish", "fox", "negative")
    assert source.negative_class == "negative"
    assert source.landmark_names == ("head", "frontal_legs")
    assert [(r.id, r.label) for r in source.references()] == [
        ("n01443537/00001", 0),
        (f"{FOX}/00001", 1),
        (f"{FOX}/00002", 1),
        (f"{FOX}/00003", 1),
        ("neg/00001", 2),
        ("neg/00002", 2),
    ]


def test_one_based_inclusive_box_becomes_continuous(benchmark):
    first, second, _ = _open(benchmark, "fox", negatives=False).references()
    assert first.box == Box(xmin=10, ymin=20, xmax=30, ymax=60)
    assert second.box == Box(xmin=0, ymin=0, xmax=80, ymax=50)  # clipped to the image


def test_landmarks_follow_the_crop(benchmark):
    first, second, third = _open(benchmark, "fox", negatives=False).references()
    # The centre of pixel 112.5 of 224 is the middle of the crop: the middle of the box.
    assert first.landmarks["head"] == Landmark(x=20.0, y=40.0, width=20 * 20 / 224, height=10 * 40 / 224)
    assert set(first.landmarks) == {"head", "frontal_legs"}
    assert second.landmarks == {}
    assert set(third.landmarks) == {"head"}


def test_reading_gives_records_and_reasons(benchmark):
    source = _open(benchmark)
    results = {reference.id: result for reference, result in source.read(source.references())}
    assert "00003.jpg: No such file" in str(results.pop(f"{FOX}/00003"))
    assert {result.image.shape for result in results.values()} == {(60, 80, 3), (40, 50, 3)}
    np.testing.assert_array_equal(results["n01443537/00001"].image[5, 5], [77, 77, 77])


def test_part_of_several_animals_counts_as_not_annotated(benchmark):
    truth = {"pHW_center": np.array([[10.0, 99.0], [20.0, 88.0]]), "pHW_scale": np.ones((2, 2))}
    path = animal_part._landmark_file(str(benchmark), "n01443537", "head")
    scipy.io.savemat(path, {"truth": _struct_array([truth])})
    assert next(_open(benchmark, "goldfish").references()).landmarks == {}


def test_category_without_legs(benchmark):
    source = _open(benchmark, "goldfish")
    assert source.landmark_names == ("head",)
    assert set(next(source.references()).landmarks) == {"head"}


@pytest.mark.parametrize("asked", ["fox", "Fox", FOX])
def test_categories_by_name_and_synset(benchmark, asked):
    assert _open(benchmark, asked, "goldfish", negatives=False).classes == ("goldfish", "fox")


@pytest.mark.parametrize(
    ("category", "synset"), [("panda", "n02510455"), ("giant_panda", "n02510455"), ("red panda", "n02509815")]
)
def test_other_spellings(category, synset):
    assert animal_part.SYNSETS[animal_part._name(category)] == synset


def test_unknown_category_says_which_there_are(benchmark):
    with pytest.raises(UserError, match=r"'unicorn'.*goldfish, fox"):
        _open(benchmark, "unicorn")
    with pytest.raises(UserError, match=r"'lion'.*goldfish, fox"):
        _open(benchmark, "lion")


def test_wrong_folders(benchmark):
    with pytest.raises(UserError, match="--data_dir is not set"):
        registry.open_source(DatasetConfig(dataset="animal_part"))
    with pytest.raises(UserError, match=r"nowhere.*detanimalpart"):
        _open(benchmark / "nowhere")
    shutil.rmtree(benchmark / animal_part._NEGATIVES)
    assert _open(benchmark, negatives=False).negative_class is None
    with pytest.raises(UserError, match="--nonegatives"):
        _open(benchmark)


def test_annotations_of_another_kind_are_refused_by_name(benchmark):
    box_file = benchmark / "detanimalpart" / f"{FOX}_obj" / "img" / "data.mat"
    scipy.io.savemat(box_file, {"samples": _struct_array([{"obj": {"box": 1.0}}] * 3)})
    with pytest.raises(UserError, match=r"data\.mat: samples\(1\).*bndbox"):
        list(_open(benchmark, "fox").references())
    scipy.io.savemat(box_file, {"samples": _struct_array([{"object": 1.0}] * 3)})
    with pytest.raises(UserError, match=r"data\.mat.*'obj'.*object"):
        list(_open(benchmark, "fox").references())
    scipy.io.savemat(box_file, {"samples": _struct_array([_sample(1, 1, 9, 9)] * 2)})
    with pytest.raises(UserError, match=r"truth_part01\.mat describes 3 images.*data\.mat describes 2"):
        list(_open(benchmark, "fox").references())


def test_pickled_source_reads_the_same(benchmark):
    source = _open(benchmark)
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.references()) == list(source.references())


def test_the_thirty_synsets():
    assert len(animal_part.SYNSETS) == len(set(animal_part.SYNSETS.values())) == 30


@pytest.fixture(name="real", scope="module")
def _real(shared_datasets):
    """Some categories, and all their references: reading the annotations takes seconds."""
    source = _open(shared_datasets, "fox", "giant panda", "cat", "turtle")
    return source, list(source.references())


def test_real_counts_and_landmarks(real):
    source, references = real
    assert collections.Counter(source.classes[reference.label] for reference in references) == {
        "fox": 286,
        "giant panda": 538,
        "cat": 529,
        "turtle": 193,
        "negative": 400,
    }
    annotated = collections.Counter(
        (source.classes[reference.label], name) for reference in references for name in reference.landmarks
    )
    assert annotated["fox", "head"] == 286 - 75
    assert annotated["cat", "frontal_legs"] == 529 - 399
    assert annotated["cat", "head"] == 529 - 336 - 1  # one image is annotated with two heads
    assert annotated["giant panda", "head"] == 538 - 318 - 6
    for reference in references:
        for landmark in reference.landmarks.values():
            assert reference.box.xmin <= landmark.x <= reference.box.xmax
            assert reference.box.ymin <= landmark.y <= reference.box.ymax


@pytest.mark.parametrize(("category", "step"), [("fox", 40), ("cat", 60)])  # v7.3 and v5 landmarks
def test_real_landmarks_come_back_as_annotated(shared_datasets, real, category, step):
    source, references = real
    label = source.classes.index(category)
    path = animal_part._landmark_file(str(shared_datasets), source.synsets[label], "head")
    truths = matlab.read_struct(path, "truth", ["pHW_center", "pHW_scale"])
    chosen = [reference for reference in references if reference.label == label][::step]
    for index, (_, record) in enumerate(source.read(chosen)):
        truth = truths[index * step]
        expected = np.full(4, np.nan)
        if truth["pHW_center"].size == 2:
            expected = np.concatenate([(truth["pHW_center"] - 0.5) / 224, truth["pHW_scale"] / 224])
        np.testing.assert_allclose(landmarks_in_crop(record, ["head"])[0], expected, rtol=0, atol=1e-6)


def test_real_negatives_are_whole_rgb_images(real):
    source, references = real
    negatives = [reference for reference in references if reference.label == len(source.synsets)]
    grey = [r for r in negatives if Image.open(r.location).mode == "L"]
    assert len(negatives) == 400
    assert len(grey) == 1
    for _, record in source.read([*grey, *negatives[:3]]):
        assert record.reference.box is None
        assert record.image.dtype == np.uint8
        assert record.image.shape[2] == 3
