import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.pipelines.squares import SIZE, Squares, files, planned, saved_performer, write_set
from tf_explainer.errors import UserError
from tf_explainer.features.dataset import feature_dataset, training_dataset
from tf_explainer.features.manifest import read_manifest, verify_checksums
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop
from tf_explainer.images.folds import fold_of, fold_position

COUNT, FOLDS = 60, 4
SOURCE = Squares(count=COUNT, unreadable=(7,))
LABELS = {f"square/{n}": n % 3 for n in range(COUNT) if n != 7}


@pytest.fixture(name="performer", scope="module")
def _performer(tmp_path_factory):
    return saved_performer(tmp_path_factory.mktemp("performer"))


@pytest.fixture(name="stored", scope="module")
def _stored(tmp_path_factory, performer):
    """A manifest and its directory; some shards are empty."""
    folder = tmp_path_factory.mktemp("features")
    manifest = write_set(planned(performer, folder, SOURCE, num_shards=40), performer)
    assert not all(shard.records for shard in manifest.shards)
    return read_manifest(str(folder)), str(folder)


def ids(batch):
    return [image_id.decode() for image_id in np.atleast_1d(batch["id"])]


def fold(image_id):
    return fold_of(fold_position(image_id), FOLDS)


def test_features_are_read_from_other_file_systems(stored):
    manifest, folder = stored
    remote = "ram://bucket/features"
    tf.io.gfile.makedirs(remote)
    for name, content in files(folder).items():
        with tf.io.gfile.GFile(f"{remote}/{name}", "wb") as file:
            file.write(content)
    assert read_manifest(remote) == manifest
    verify_checksums(manifest, remote)
    here, there = (images((manifest, place)) for place in (folder, remote))
    assert [image["id"] for image in there] == [image["id"] for image in here]
    assert all((a["conv"] == b["conv"]).all() for a, b in zip(here, there, strict=True))


# Single images.


def images(stored, split="all", held_out_fold=0, **settings):
    manifest, folder = stored
    dataset = feature_dataset(
        manifest, folder, folds=FOLDS, held_out_fold=held_out_fold, split=split, **settings
    )
    return list(dataset.as_numpy_iterator())


def test_features_come_back_exactly_as_they_were_computed(stored, performer):
    records = {reference.id: record for reference, record in SOURCE.read(SOURCE.references())}
    model = performer.feature_model()
    read = images(stored, with_crops=True)
    assert sorted(image_id for image in read for image_id in ids(image)) == sorted(LABELS)
    assert {len(image) for image in read} == {11}
    for image in read:
        (image_id,) = ids(image)
        crop = crop_to_object(records[image_id], SIZE)
        expected = model.predict_on_batch(crop[None])
        for layer in ("conv", "fc1", "fc2"):
            assert image[layer].dtype == np.float16
            # Batches of another size may change the last bit of the float32 result.
            np.testing.assert_allclose(image[layer], expected[layer][0], rtol=2e-3, atol=1e-6)
        np.testing.assert_allclose(image["scores"], expected["scores"][0], rtol=1e-5)
        assert image["label"] == LABELS[image_id]
        assert image["fold_position"] == fold_position(image_id)
        np.testing.assert_array_equal(
            image["landmarks"], landmarks_in_crop(records[image_id], SOURCE.landmark_names)
        )
        assert image["crop"].shape == (SIZE, SIZE, 3)
        assert np.abs(image["crop"].astype(float) - crop).mean() < 40  # JPEG of noise


@pytest.mark.parametrize("encoding", ["gzip", "sparse"])
def test_every_encoding_gives_the_same_bits(performer, tmp_path, encoding):
    """As those of plain float16 are, read without the reader."""
    plain = write_set(planned(performer, tmp_path / "plain", encoding="float16", num_shards=9), performer)
    paths = [f"{tmp_path}/plain/{shard.file}" for shard in plain.shards]
    raw = {}
    for record in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        raw[feature["id"].bytes_list.value[0]] = feature["features/conv"].bytes_list.value[0]
    manifest = write_set(planned(performer, tmp_path, encoding=encoding, num_shards=9), performer)
    for stored in ((plain, str(tmp_path / "plain")), (manifest, str(tmp_path))):
        read = images(stored)
        assert len(read) == len(raw) == 24
        for image in read:
            assert image["conv"].astype("<f2").tobytes() == raw[image["id"]]
    for batch in training(manifest, str(tmp_path)):
        for image_id, values in zip(batch["id"], batch["conv"], strict=True):
            assert values.astype("<f2").tobytes() == raw[image_id]


def test_crops_are_decoded_only_if_asked_for(stored):
    assert "crop" not in images(stored)[0]


def test_shapes_are_known_before_anything_is_read(stored):
    manifest, folder = stored
    specification = feature_dataset(manifest, folder, folds=2, held_out_fold=0, with_crops=True).element_spec
    assert {name: (tuple(spec.shape), spec.dtype.name) for name, spec in specification.items()} == {
        "id": ((), "string"),
        "view": ((), "string"),
        "affine": ((4,), "float32"),
        "label": ((), "int64"),
        "fold_position": ((), "float32"),
        "landmarks": ((2, 4), "float32"),
        "scores": ((3,), "float32"),
        "conv": ((8, 8, 4), "float16"),
        "fc1": ((6,), "float16"),
        "fc2": ((5,), "float16"),
        "crop": ((SIZE, SIZE, 3), "uint8"),
    }


def test_the_order_is_the_same_each_time(stored):
    assert [ids(image) for image in images(stored)] == [ids(image) for image in images(stored)]


def test_folds_are_disjoint_and_complete(stored):
    held_out = [
        {image_id for image in images(stored, "held_out", number) for image_id in ids(image)}
        for number in range(FOLDS)
    ]
    assert all(held_out)
    assert not any(a & b for a, b in itertools.combinations(held_out, 2))
    assert set.union(*held_out) == set(LABELS)
    for number, there in enumerate(held_out):
        train = {image_id for image in images(stored, "train", number) for image_id in ids(image)}
        assert train == set(LABELS) - there
        assert {fold(image_id) for image_id in there} == {number}


def test_positions_at_the_edge_of_a_fold_fall_where_numpy_puts_them(performer, tmp_path, monkeypatch):
    edge = 11744051 / 2**24
    assert fold_of(edge, 10) == 6
    assert np.float32(edge) * np.float32(10) == 7
    monkeypatch.setattr("pipelines.extraction.example_encoding.fold_position", lambda _: edge)
    manifest = write_set(planned(performer, tmp_path, Squares(count=3)), performer)
    dataset = feature_dataset(manifest, str(tmp_path), folds=10, held_out_fold=6, split="held_out")
    assert len(list(dataset)) == 3


def test_a_set_without_landmarks(performer, tmp_path):
    source = Squares(count=3, landmark_names=())
    manifest = write_set(planned(performer, tmp_path, source), performer)
    for image in feature_dataset(manifest, str(tmp_path), folds=2, held_out_fold=0):
        assert image["landmarks"].shape == (0, 4)
    for batch in training(manifest, str(tmp_path), negatives_per_batch=0, held_out_fold=1):
        assert batch["landmarks"].shape[1:] == (0, 4)


# Views.


@pytest.fixture(name="viewed", scope="module")
def _viewed(tmp_path_factory, performer):
    """The same images in three views."""
    folder = tmp_path_factory.mktemp("views")
    return write_set(planned(performer, folder, SOURCE, views=("flip", "crop")), performer), str(folder)


def test_other_views_are_read_only_if_asked_for(stored, viewed):
    assert sorted(i for image in images(viewed) for i in ids(image)) == sorted(LABELS)
    assert {image["view"] for image in images(viewed)} == {b"original"}
    alone = {image["id"]: image for image in images(stored)}
    for image in images(viewed):
        np.testing.assert_allclose(image["conv"], alone[image["id"]]["conv"], rtol=2e-3, atol=1e-6)
        np.testing.assert_array_equal(image["affine"], [1, 0, 1, 0])


@pytest.mark.parametrize("views", [("flip",), ("original", "crop"), ("original", "flip", "crop")])
def test_views_of_an_image_follow_each_other(viewed, views):
    read = images(viewed, views=views)
    assert len(read) == len(views) * len(LABELS)
    for group in (read[start : start + len(views)] for start in range(0, len(read), len(views))):
        assert [image["view"].decode() for image in group] == list(views)
        assert len({ids(image)[0].split("#")[0] for image in group}) == 1


def test_views_of_an_image_are_in_the_same_fold(viewed):
    views = ("original", "flip", "crop")
    for number in range(FOLDS):
        held_out = {i for image in images(viewed, "held_out", number, views=views) for i in ids(image)}
        expected = {image_id for image_id in LABELS if fold(image_id) == number}
        assert held_out == {f"{i}{view}" for i in expected for view in ("", "#flip", "#crop")}


def test_a_mirrored_view_is_mirrored(viewed):
    pairs = images(viewed, views=("original", "flip"), with_crops=True)
    for original, flip in zip(pairs[::2], pairs[1::2], strict=True):
        np.testing.assert_array_equal(flip["affine"], [1, 0, -1, 1])
        np.testing.assert_allclose(flip["landmarks"][:, 1], 1 - original["landmarks"][:, 1], rtol=1e-6)
        # JPEG of noise; mirrored blocks may be rounded otherwise.
        difference = flip["crop"][:, ::-1].astype(float) - original["crop"]
        assert np.abs(difference).mean() < 10 < np.abs(flip["crop"].astype(float) - original["crop"]).mean()


def test_a_view_that_is_not_stored_is_refused(viewed):
    with pytest.raises(UserError, match=r"'shift'.*original, flip, crop.*--views"):
        images(viewed, views=("original", "shift"))
    with pytest.raises(UserError, match="'shift'"):
        training(*viewed, views=("shift",))


# Training batches.


def training(manifest, folder, **changes):
    settings = {
        "folds": FOLDS,
        "held_out_fold": 0,
        "batch_size": 4,
        "negatives_per_batch": 3,
        "seed": 0,
        "epoch": 0,
    }
    return list(training_dataset(manifest, folder, **settings | changes).as_numpy_iterator())


def of_categories(batch):
    return [image_id for image_id in ids(batch) if LABELS[image_id] != 2]


def test_an_epoch_sees_every_image_of_the_categories_once(stored):
    batches = training(*stored)
    seen = [image_id for batch in batches for image_id in of_categories(batch)]
    assert sorted(seen) == sorted(
        image_id for image_id, label in LABELS.items() if label != 2 and fold(image_id) != 0
    )
    sizes = [len(of_categories(batch)) for batch in batches]
    assert sizes[:-1] == [4] * (len(sizes) - 1)
    assert sizes[-1] == len(seen) % 4 or 4


def test_an_epoch_of_a_set_with_views_is_one_without(viewed):
    batches = training(*viewed)
    seen = [image_id for batch in batches for image_id in of_categories(batch)]
    assert sorted(seen) == sorted(
        image_id for image_id, label in LABELS.items() if label != 2 and fold(image_id) != 0
    )
    assert {view for batch in batches for view in batch["view"]} == {b"original"}


def test_an_epoch_of_several_views_sees_each_once(viewed):
    batches = training(*viewed, views=("original", "flip"), negatives_per_batch=0)
    seen = sorted(image_id for batch in batches for image_id in ids(batch))
    there = [image_id for image_id, label in LABELS.items() if label != 2 and fold(image_id) != 0]
    assert seen == sorted(there + [f"{image_id}#flip" for image_id in there])


def test_the_views_of_an_image_stay_together_in_every_share(viewed):
    def halves(batches):
        """The second of two replicas' share."""
        return batches.map(lambda batch: {name: v[tf.shape(v)[0] // 2 :] for name, v in batch.items()})

    for changes in ({}, {"divide": halves}):
        for batch in training(*viewed, views=("original", "flip"), **changes):
            assert list(batch["view"]) == [b"original", b"flip"] * (len(batch["view"]) // 2)
            first, second = ids(batch)[::2], ids(batch)[1::2]
            assert [f"{image_id}#flip" for image_id in first] == second
            assert (batch["label"][::2] == batch["label"][1::2]).all()
            assert len(batch["conv"]) == len(batch["view"])


def test_negatives_follow_in_every_batch(stored):
    for batch in training(*stored):
        negative = batch["label"] == 2
        assert negative.sum() == 3
        assert negative[-3:].all()


def test_negatives_begin_again_only_when_all_were_seen(stored):
    there = {image_id for image_id, label in LABELS.items() if label == 2 and fold(image_id) != 0}
    batches = training(*stored, negatives_per_batch=9, batch_size=2)
    seen = [image_id for batch in batches for image_id in ids(batch) if LABELS[image_id] == 2]
    assert len(seen) > 2 * len(there)
    assert set(seen[: len(there)]) == there
    assert set(seen[len(there) : 2 * len(there)]) == there


def test_a_batch_holds_each_image_with_its_own_features(stored):
    by_id = {image["id"]: image for image in images(stored)}
    for batch in training(*stored):
        assert batch["conv"].dtype == np.float16
        for row, image_id in enumerate(batch["id"]):
            for name, values in by_id[image_id].items():
                np.testing.assert_array_equal(batch[name][row], values)


def test_without_negatives_there_are_none(stored):
    batches = training(*stored, negatives_per_batch=0)
    assert {int(label) for batch in batches for label in batch["label"]} == {0, 1}


def test_without_a_negative_class_every_image_is_of_a_category(performer, tmp_path):
    manifest = write_set(planned(performer, tmp_path, Squares(negative_class=None)), performer)
    batches = training(manifest, str(tmp_path))
    expected = [f"square/{n}" for n in range(24) if fold(f"square/{n}") != 0]
    assert sorted(image_id for batch in batches for image_id in ids(batch)) == sorted(expected)


def test_an_empty_negative_class_loses_no_image(performer, tmp_path):
    classes = ("fox", "cat", "cow", "negative")

    class NoNegatives(Squares):
        def references(self):
            return (dataclasses.replace(r, label=int(r.location) % 3) for r in super().references())

    manifest = write_set(planned(performer, tmp_path, NoNegatives(classes=classes)), performer)
    assert manifest.class_counts["negative"] == 0
    batches = training(manifest, str(tmp_path))
    assert sum(len(batch["id"]) for batch in batches) == sum(fold(f"square/{n}") != 0 for n in range(24))


def orders(stored, **changes):
    return [ids(batch) for batch in training(*stored, **changes)]


def test_the_order_is_that_of_seed_and_epoch(stored):
    assert orders(stored, seed=1, epoch=2) == orders(stored, seed=1, epoch=2)
    assert orders(stored, seed=1, epoch=2) != orders(stored, seed=1, epoch=3)
    assert orders(stored, seed=1, epoch=2) != orders(stored, seed=2, epoch=2)


def test_the_shards_come_in_another_order_in_each_epoch(stored, monkeypatch):
    monkeypatch.setattr("tf_explainer.features.dataset.SHUFFLE_BUFFER", 1)
    assert orders(stored, epoch=2) != orders(stored, epoch=3)


def test_images_of_a_class_do_not_come_in_a_row(stored):
    labels = [LABELS[image_id] for batch in orders(stored, negatives_per_batch=0) for image_id in batch]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    assert changes > len(labels) / 4
