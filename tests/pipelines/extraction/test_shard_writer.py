import dataclasses
import hashlib
import pathlib
import threading

import numpy as np
import pytest
import tensorflow as tf

from pipelines.extraction import read_ahead, shard_writer
from pipelines.extraction.shard_writer import ShardWriter
from pipelines.feature_set.shard_report import ShardReport, sidecar_name
from tests.pipelines.squares import SIZE, Squares, files, planned
from tf_explainer.features import feature_coding
from tf_explainer.features.views import crop_view
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop

COUNT = 11


def predict(crops):
    """A performer whose every feature tells which image it is of."""
    assert crops.dtype == np.uint8
    assert crops.shape[1:] == (SIZE, SIZE, 3)
    means = crops.astype(np.float32).mean((1, 2))
    return {
        "conv": np.broadcast_to(means[:, None, None, :], (len(crops), 2, 2, 3)),
        "fc1": means[:, :2],
        "fc2": means[:, 2:],
        "scores": means / means.sum(1, keepdims=True),
    }


@pytest.fixture(name="extraction")
def _extraction(performer, tmp_path):
    return planned(performer, tmp_path / "features", Squares(count=COUNT))


def write(extraction, predict=predict, on_batch=lambda *_: None, source=None, **settings):
    source = source or extraction.source
    writer = ShardWriter(dataclasses.replace(extraction.shards, **settings), source, predict, on_batch)
    return writer.write(1, sorted(source.references(), key=lambda reference: reference.id))


def records(extraction, compression=""):
    path = pathlib.Path(extraction.shards.features_dir) / "features-00001-of-00003.tfrecord"
    encoded = tf.data.TFRecordDataset(str(path), compression).as_numpy_iterator()
    return [tf.train.Example.FromString(record).features.feature for record in encoded]


def ids(extraction):
    return sorted(record["id"].bytes_list.value[0].decode() for record in records(extraction))


def test_every_image_has_its_own_record(extraction):
    write(extraction)
    by_id = {
        reference.id: record for reference, record in extraction.source.read(extraction.source.references())
    }
    stored = records(extraction)
    assert len(stored) == COUNT
    for feature in stored:
        record = by_id.pop(feature["id"].bytes_list.value[0].decode())
        expected = predict(crop_to_object(record, SIZE)[None])
        assert tuple(feature["features/fc1"].bytes_list.value) == feature_coding.encode(
            expected["fc1"][0].astype("<f2"), "sparse"
        )
        np.testing.assert_array_equal(
            np.float32(feature["landmarks"].float_list.value).reshape(2, 4),
            landmarks_in_crop(record, extraction.source.landmark_names),
        )
        assert feature["label"].int64_list.value[0] == record.reference.label
    assert not by_id


def test_the_report_says_what_is_in_the_file(extraction):
    report = write(extraction)
    content = files(extraction.shards.features_dir)
    assert set(content) == {report.shard.file, sidecar_name(1, 3)}
    assert report.shard.records == COUNT
    assert report.shard.bytes == len(content[report.shard.file])
    assert report.shard.sha256 == hashlib.sha256(content[report.shard.file]).hexdigest()
    assert report.labels == {0: 4, 1: 4, 2: 3}
    assert report.num_scores == 3
    assert report.dead_letters == ()
    assert report.sums["conv"].images == COUNT
    assert report.sums["conv"].shape == (2, 2, 3)
    assert ShardReport.from_json(content[sidecar_name(1, 3)].decode()) == report


def test_the_performer_sees_fixed_batches(extraction):
    sizes = []
    write(extraction, on_batch=lambda images, seconds: sizes.append((images, seconds >= 0)))
    assert sizes == [(4, True), (4, True), (3, True)]


def test_bytes_do_not_depend_on_threads(extraction, monkeypatch):
    first = write(extraction)
    monkeypatch.setattr(read_ahead, "_THREADS", 1)
    assert write(extraction) == first


def test_small_parts_are_read_ahead_in_order(extraction, monkeypatch):
    monkeypatch.setattr(shard_writer, "_VIEWS_READ_AT_ONCE", 1)
    threads = set()

    class Watched(Squares):
        def read(self, references):
            threads.add(threading.current_thread().name)
            return super().read(references)

    write(extraction, source=Watched(count=COUNT))
    order = [record["id"].bytes_list.value[0].decode() for record in records(extraction)]
    assert order == sorted(order)
    assert threading.current_thread().name not in threads


@pytest.mark.parametrize("encoding", ["float16", "gzip", "sparse"])
def test_files_and_records_are_encoded_as_asked(extraction, encoding):
    report = write(extraction, encoding=encoding)
    content = files(extraction.shards.features_dir)[report.shard.file]
    assert (content[:2] == b"\x1f\x8b") == (encoding == "gzip")
    stored = records(extraction, "GZIP" if encoding == "gzip" else "")
    assert len(stored) == COUNT
    for feature in stored:
        values = feature["features/conv"].bytes_list.value
        assert [len(value) for value in values] == [24] if encoding != "sparse" else len(values) == 3


def test_a_gzip_file_does_not_tell_when_it_was_made(extraction):
    report = write(extraction, encoding="gzip")
    assert files(extraction.shards.features_dir)[report.shard.file][4:8] == bytes(4)


def test_unreadable_images_become_dead_letters(extraction):
    report = write(extraction, source=Squares(count=COUNT, unreadable=(2, 10)))
    assert report.dead_letters == (
        {"id": "square/10", "location": "10", "kind": "damaged", "reason": "it is torn"},
        {"id": "square/2", "location": "2", "kind": "damaged", "reason": "it is torn"},
    )
    assert ids(extraction) == sorted(f"square/{n}" for n in range(COUNT) if n not in (2, 10))


def test_images_whose_box_lies_outside_become_dead_letters(extraction):
    class Outside(Squares):
        def references(self):
            for reference in super().references():
                box = dataclasses.replace(reference.box, xmin=60, xmax=70) if reference.label == 1 else None
                yield dataclasses.replace(reference, box=box)

    report = write(extraction, source=Outside(count=COUNT))
    assert [letter["id"] for letter in report.dead_letters] == [f"square/{n}" for n in (1, 10, 4, 7)]
    assert all("outside" in letter["reason"] for letter in report.dead_letters)
    assert {letter["kind"] for letter in report.dead_letters} == {"box_outside"}
    assert report.shard.records == COUNT - 4


def test_a_failing_batch_is_tried_one_by_one(extraction):
    hostile = crop_of(extraction, "5")

    def fails(crops):
        if any(np.array_equal(crop, hostile) for crop in crops):
            raise RuntimeError("no such image, please")
        return predict(crops)

    undisturbed = write(extraction)
    report = write(extraction, predict=fails)
    assert [letter["id"] for letter in report.dead_letters] == ["square/5"]
    assert "RuntimeError: no such image, please" in report.dead_letters[0]["reason"]
    assert report.dead_letters[0]["kind"] == "performer_fails"
    assert ids(extraction) == sorted(f"square/{n}" for n in range(COUNT) if n != 5)
    assert report.sums["fc1"].images == undisturbed.sums["fc1"].images - 1


def test_an_image_is_stored_in_all_views_or_in_none(extraction):
    hostile = crop_of(extraction, "5")[:, ::-1]

    def fails(crops):
        if any(np.array_equal(crop, hostile) for crop in crops):
            raise RuntimeError("not mirrored, please")
        return predict(crops)

    report = write(extraction, predict=fails, views=("flip", "shift"))
    assert [letter["id"] for letter in report.dead_letters] == ["square/5"]
    assert "not mirrored" in report.dead_letters[0]["reason"]
    order = [record["id"].bytes_list.value[0].decode() for record in records(extraction)]
    kept = order[::3]
    assert sorted(kept) == sorted(f"square/{n}" for n in range(COUNT) if n != 5)
    assert order == [f"{image}{view}" for image in kept for view in ("", "#flip", "#shift")]
    assert report.shard.records == len(order)
    assert report.images == report.sums["fc1"].images == COUNT - 1


def test_features_are_those_of_their_view(extraction):
    write(extraction, views=("flip", "shift", "crop"))
    by_id = {
        reference.id: record for reference, record in extraction.source.read(extraction.source.references())
    }
    names, seed = extraction.source.landmark_names, extraction.shards.views_seed
    for feature in records(extraction):
        view = feature["view"].bytes_list.value[0].decode()
        image_id = feature["id"].bytes_list.value[0].decode().split("#")[0]
        crop = crop_view(by_id[image_id], view, SIZE, names, seed)
        expected = predict(crop.pixels[None])["fc1"][0].astype("<f2")
        assert tuple(feature["features/fc1"].bytes_list.value) == feature_coding.encode(expected, "sparse")
        assert list(feature["affine"].float_list.value) == list(crop.affine)
        np.testing.assert_array_equal(
            np.float32(feature["landmarks"].float_list.value), crop.landmarks.ravel()
        )


def test_features_beyond_float16_become_dead_letters(extraction):
    hostile = crop_of(extraction, "5")

    def overflows(crops):
        outputs = predict(crops)
        outputs["fc1"] = outputs["fc1"].copy()
        for row, crop in enumerate(crops):
            if np.array_equal(crop, hostile):
                outputs["fc1"][row] = 1e6
        return outputs

    report = write(extraction, predict=overflows)
    assert [letter["id"] for letter in report.dead_letters] == ["square/5"]
    assert "float16" in report.dead_letters[0]["reason"]
    assert report.dead_letters[0]["kind"] == "beyond_float16"
    assert np.isfinite(report.sums["fc1"].total)


def crop_of(extraction, location):
    (record,) = [
        record
        for reference, record in extraction.source.read(extraction.source.references())
        if reference.location == location
    ]
    return crop_to_object(record, SIZE)


def test_a_shard_without_images_is_a_file_without_records(extraction):
    report = write(extraction, source=Squares(count=0))
    assert report.shard.records == 0
    assert report.num_scores == 0
    assert records(extraction) == []


def test_what_is_interrupted_leaves_nothing(extraction):
    calls = []

    def interrupted(crops):
        calls.append(len(crops))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(crops)

    with pytest.raises(KeyboardInterrupt):
        write(extraction, predict=interrupted)
    assert calls == [4, 4]
    assert not pathlib.Path(extraction.shards.features_dir).exists()


def test_a_broken_source_stops_the_shard(extraction):
    class Broken(Squares):
        def read(self, _):
            raise ConnectionError("the storage is gone")

    with pytest.raises(ConnectionError, match="storage"):
        write(extraction, source=Broken(count=COUNT))
