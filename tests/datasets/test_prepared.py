import collections
import io
import pickle
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import registry
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, UnreadableImageError

COUNT, BROKEN, UNBOXED = 23, 9, 4


def _png(number):
    buffer = io.BytesIO()
    Image.new("RGB", (10, 4), (number, 2 * number, 0)).save(buffer, "PNG")
    return buffer.getvalue()


class TinyPets(tfds.core.GeneratorBasedBuilder):
    """23 images of three classes; the red channel tells which is which."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "segmentation_mask": tfds.features.Image(shape=(None, None, 1)),
            "species": tfds.features.ClassLabel(names=["pet"]),
            "label": tfds.features.ClassLabel(names=["cat", "dog", "nothing"]),
            "objects": tfds.features.Sequence({"bbox": tfds.features.BBoxFeature(), "pose": np.int64}),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples(COUNT), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
        for number in range(count):
            box = {"bbox": tfds.features.BBox(0.25, 0.1, 0.75, 1 / 3), "pose": 0}
            image = io.BytesIO(b"no image" if number == BROKEN else _png(number))
            yield (
                number,
                {
                    "image": image,
                    "segmentation_mask": np.zeros((4, 10, 1), np.uint8),
                    "species": 0,
                    "label": number % 3,
                    "objects": [] if number == UNBOXED else [box] * (2 if number == 5 else 1),
                },
            )


class TinyWords(tfds.core.GeneratorBasedBuilder):
    """No images at all."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"text": "word"}


class TinyRefusal(TinyWords):
    """Cannot be downloaded."""

    def _split_generators(self, dl_manager):
        del dl_manager
        raise ConnectionError("no route to the host of the pictures")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    sharded = tfds.download.DownloadConfig(num_shards=3)
    tfds.builder("tiny_pets", data_dir=folder).download_and_prepare(download_config=sharded)
    return str(folder)


def _open(data_dir, *categories, dataset="tiny_pets", **settings):
    return registry.open_source(
        DatasetConfig(dataset=dataset, data_dir=data_dir, categories=categories, **settings)
    )


def _numbers(source, references):
    """What the pixels say about which image is which."""
    results = list(source.read(references))
    return {r.id: int(x.image[0, 0, 0]) for r, x in results if not isinstance(x, UnreadableImageError)}


def test_references_are_all_images_in_the_order_of_the_split(data_dir):
    source = _open(data_dir)
    references = list(source.references())
    assert source.classes == ("cat", "dog", "nothing")
    assert source.negative_class is None
    assert [reference.location for reference in references] == [str(index) for index in range(COUNT)]
    assert references[7].id == "tiny_pets/train/000007"
    assert collections.Counter(reference.label for reference in references) == {0: 8, 1: 8, 2: 7}


def test_pixels_belong_to_their_reference(data_dir):
    source = _open(data_dir)
    references = list(source.references())
    numbers = _numbers(source, references)
    assert sorted(numbers.values()) == sorted(set(range(COUNT)) - {BROKEN})
    for reference in references:
        if reference.id in numbers:
            assert reference.label == numbers[reference.id] % 3
    # Some of them, in any order, are the same images.
    some = [references[index] for index in (20, 3, 11, 4)]
    assert _numbers(source, some) == {r.id: numbers[r.id] for r in some if r.id in numbers}
    assert list(source.read([])) == []


def test_one_unreadable_image_does_not_stop_the_others(data_dir):
    source = _open(data_dir)
    reasons = [x for _, x in source.read(source.references()) if isinstance(x, UnreadableImageError)]
    assert len(reasons) == 1
    assert "none of BMP" in str(reasons[0])


def test_boxes_where_there_is_exactly_one(data_dir):
    source = _open(data_dir)
    references = {reference.id: reference for reference in source.references()}
    numbers = _numbers(source, references.values())
    for name, number in numbers.items():
        expected = None if number in (UNBOXED, 5) else Box(xmin=1, ymin=1, xmax=3.333, ymax=3)
        assert references[name].box == expected


def test_shards_are_contiguous_and_even(data_dir):
    source = _open(data_dir)
    shards = [source.shard_of(reference, 5) for reference in source.references()]
    assert shards == sorted(shards)
    assert set(collections.Counter(shards).values()) == {4, 5}
    sliced = _open(data_dir, split="train[10:20]")
    assert [sliced.shard_of(r, 2) for r in sliced.references()] == [0] * 5 + [1] * 5


def test_parts_are_files(data_dir):
    source = _open(data_dir, split="train[2:20]")
    parts = source.parts()
    lengths = tfds.builder("tiny_pets", data_dir=data_dir).info.splits["train"].shard_lengths
    assert len(parts) == len(lengths) == 3
    assert [part.stop for part in parts[:-1]] == [lengths[0], lengths[0] + lengths[1]]
    listed = [reference for part in parts for reference in part.references()]
    assert listed == list(source.references())
    (only,) = _open(data_dir, split=f"train[:{lengths[0]}]").parts()
    assert (only.start, only.stop) == (0, lengths[0])


def test_every_file_is_opened_once(data_dir, monkeypatch):
    source = _open(data_dir)
    loaded = []
    load = type(source)._load

    def counted(self, start, stop, *, pixels):
        loaded.append((start, stop))
        return load(self, start, stop, pixels=pixels)

    monkeypatch.setattr(type(source), "_load", counted)
    references = list(source.references())
    loaded.clear()
    assert len(list(source.read(references[:20]))) == 20
    assert loaded == [(part.start, min(part.stop, 20)) for part in source.parts()]


def test_categories_and_the_negative_class(data_dir):
    source = _open(data_dir, "dog", negative_class="nothing")
    assert source.classes == ("dog", "nothing")
    assert source.negative_class == "nothing"
    counts = collections.Counter(source.classes[reference.label] for reference in source.references())
    assert counts == {"dog": 8, "nothing": 7}
    assert _open(data_dir, negative_class="nothing", negatives=False).classes == ("cat", "dog")
    with pytest.raises(UserError, match=r"'bird' in --dataset=tiny_pets.*cat"):
        _open(data_dir, "bird")


def test_slices_keep_the_ids_of_the_whole_split(data_dir):
    whole = {reference.id: reference for reference in _open(data_dir).references()}
    half = list(_open(data_dir, split="train[:50%]").references())
    assert len(half) == 12
    assert all(whole[reference.id] == reference for reference in half)
    assert [reference.location for reference in _open(data_dir, split="train[20:]").references()] == [
        "20",
        "21",
        "22",
    ]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("training", r"--split=training.*train, test"),
        ("train[", r"--split=train\[.*train, test"),
        ("train[:7]+test", "more than one range"),
        ("train[5:5]", "is empty"),
    ],
)
def test_wrong_splits(data_dir, split, message):
    with pytest.raises(UserError, match=message):
        _open(data_dir, split=split)


def test_unknown_names_are_answered_with_the_nearest(data_dir):
    with pytest.raises(UserError, match=r"--dataset=creature is unknown.*creatures"):
        _open(data_dir, dataset="creature")
    with pytest.raises(UserError, match=r"--dataset=cats_vs_dog is unknown.*cats_vs_dogs"):
        _open(data_dir, dataset="cats_vs_dog")
    with pytest.raises(UserError, match=r"--dataset=tiny_pets:9\.9\.9.*1\.0\.0"):
        _open(data_dir, dataset="tiny_pets:9.9.9")


def test_data_sets_without_images_are_refused(data_dir):
    with pytest.raises(UserError, match=r"tiny_words is not a data set of single images.*text \(Text\)"):
        _open(data_dir, dataset="tiny_words")


def test_failed_download_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"(?s)tiny_refusal is not prepared.*no route.*tfds build"):
        _open(str(tmp_path), dataset="tiny_refusal")


def test_no_bar_is_drawn_where_there_is_no_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["tensorflow_datasets.core.utils.tqdm_utils"], "_active", True)
    assert len(list(_open(str(tmp_path)).references())) == COUNT
    assert "\r" not in capsys.readouterr().err


def test_pickled_source_reads_the_same(data_dir):
    source = _open(data_dir)
    copy = pickle.loads(pickle.dumps(source))
    assert list(copy.references()) == list(source.references())
    assert _numbers(copy, list(copy.references())[:3]) == _numbers(source, list(source.references())[:3])


def test_damaged_file(tmp_path):
    builder = tfds.builder("tiny_pets", data_dir=tmp_path)
    builder.download_and_prepare()
    source = _open(str(tmp_path))
    references = list(source.references())
    (path,) = tmp_path.rglob("*train.tfrecord*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    results = [result for _, result in source.read(references)]
    assert len(results) == COUNT
    assert "damaged" in str(results[-1])
    assert not isinstance(results[0], UnreadableImageError)
    with pytest.raises(UserError, match="damaged"):
        list(source.references())


def test_a_damaged_file_costs_no_other(tmp_path):
    sharded = tfds.download.DownloadConfig(num_shards=3)
    tfds.builder("tiny_pets", data_dir=tmp_path).download_and_prepare(download_config=sharded)
    source = _open(str(tmp_path))
    references = list(source.references())
    path = sorted(tmp_path.rglob("*train.tfrecord*"))[1]
    path.write_bytes(b"\x00" * 40)
    damaged = source.parts()[1]
    failed = [
        int(reference.location)
        for reference, result in source.read(references)
        if isinstance(result, UnreadableImageError) and "its file is damaged" in str(result)
    ]
    assert failed == list(range(damaged.start, damaged.stop))
