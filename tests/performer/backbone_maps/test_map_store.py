import concurrent.futures
import contextlib
import logging
import pathlib
import shutil
import sqlite3

import keras
import numpy as np
import pytest

from tf_explainer.performer.backbone_maps.map_store import MapStore

CROPS = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def network(seed=0, *, activation="relu", scale=1 / 255):
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(scale)(image)
    return keras.Model(image, keras.layers.Conv2D(4, 3, strides=2, activation=activation)(x))


class Counting:
    """A store whose network says how many images it has seen."""

    def __init__(self, file, model):
        self.seen, self.store = 0, MapStore(str(file), model)
        predict = model.predict_on_batch

        def counted(crops):
            self.seen += len(crops)
            return predict(crops)

        model.predict_on_batch = counted

    def complete(self, crops):
        return self.store.complete(crops)


@pytest.fixture(name="file")
def _file(tmp_path):
    return tmp_path / "run" / "maps #1%20.sqlite"


def kept(file, model=None, crops=CROPS):
    """Fills a file, and returns what is in it."""
    store = MapStore(str(file), model or network())
    maps, found = store.complete(crops)
    assert found == 0
    store.keep(crops, maps)
    return maps


def test_what_was_kept_is_found_to_the_bit_and_not_computed(file):
    maps = kept(file)
    counting = Counting(file, network())
    found, number = counting.complete(CROPS[::-1])
    assert (number, counting.seen) == (6, 0)
    assert found.dtype == maps.dtype
    np.testing.assert_array_equal(found, maps[::-1])


def test_only_what_is_missing_is_computed(file):
    maps = kept(file, crops=CROPS[1:3])
    counting = Counting(file, network())
    completed, number = counting.complete(CROPS)
    assert (number, counting.seen) == (2, 4)
    np.testing.assert_array_equal(completed[1:3], maps)
    np.testing.assert_allclose(completed, network().predict_on_batch(CROPS), rtol=1e-5, atol=1e-6)


def test_one_pixel_makes_another_crop(file):
    kept(file)
    changed = CROPS.copy()
    changed[0, 0, 0, 0] ^= 1
    assert Counting(file, network()).complete(changed)[1] == 5
    assert Counting(file, network()).complete(CROPS[:, :, ::-1])[1] == 0  # Mirrored.


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"activation": "gelu"}, {"scale": 1 / 127.5}],
    ids=["weights", "graph", "preprocessing"],
)
def test_another_network_finds_nothing(file, other):
    kept(file)
    completed, number = Counting(file, network(**other)).complete(CROPS)
    assert number == 0
    np.testing.assert_array_equal(completed, network(**other).predict_on_batch(CROPS))


def test_one_changed_weight_finds_nothing(file):
    kept(file)
    model = network()
    kernel = model.layers[-1].kernel.numpy()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    model.layers[-1].kernel.assign(kernel)
    assert MapStore(str(file), model).complete(CROPS)[1] == 0


@pytest.mark.parametrize("version", ["keras.__version__", "tensorflow.__version__"])
def test_another_version_finds_nothing(file, monkeypatch, version):
    kept(file)
    monkeypatch.setattr(version, "0.1")
    assert MapStore(str(file), network()).complete(CROPS)[1] == 0


def test_a_saved_network_is_the_same(file, tmp_path):
    maps = kept(file)
    network().save(tmp_path / "model.keras")
    found, number = MapStore(str(file), keras.models.load_model(tmp_path / "model.keras")).complete(CROPS)
    assert number == 6
    np.testing.assert_array_equal(found, maps)


def test_without_a_file_all_is_computed(file):
    store = MapStore(str(file), network())
    assert not store.exists
    assert store.complete(CROPS)[1] == 0
    assert not file.exists()
    bucket = MapStore("gs://bucket/maps.sqlite", network())
    assert not bucket.exists
    assert bucket.complete(CROPS)[1] == 0


def test_damaged_maps_are_computed(file):
    maps = kept(file)
    content = file.read_bytes()
    value = np.ascontiguousarray(maps[2][maps[2] != 0][:4]).tobytes()
    assert value in content
    file.write_bytes(content.replace(value, bytes([value[0] ^ 4]) + value[1:]))
    completed, number = MapStore(str(file), network()).complete(CROPS)
    assert number == 5
    np.testing.assert_allclose(completed, maps, rtol=1e-5, atol=1e-6)


def test_maps_that_changed_places_are_computed(file):
    kept(file)
    with sqlite3.connect(file) as database:
        (one, first), (two, second) = database.execute("SELECT crop, map FROM maps LIMIT 2")
        for key, values in ((one, second), (two, first)):
            database.execute("UPDATE maps SET map = ? WHERE crop = ?", (values, key))
    assert MapStore(str(file), network()).complete(CROPS)[1] == 4


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(200)])
def test_what_is_no_file_of_ours_is_left_aside_and_replaced_by_training(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    store = MapStore(str(file), network())
    maps, number = store.complete(CROPS)
    assert number == 0
    store.clear_others()
    store.keep(CROPS, maps)
    assert store.complete(CROPS)[1] == 6


def test_a_torn_file_gives_no_wrong_maps(file):
    maps = kept(file)
    whole = file.read_bytes()
    for length in range(0, len(whole), 997):
        file.write_bytes(whole[:length])
        completed, _ = MapStore(str(file), network()).complete(CROPS)
        np.testing.assert_allclose(completed, maps, rtol=1e-5, atol=1e-6)


def test_what_a_killed_training_left_half_is_undone(file, tmp_path):
    maps = kept(file)
    killed = tmp_path / "killed.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA cache_size = 1")  # Pages go to the file before the end of the transaction.
        database.execute("UPDATE maps SET map = zeroblob(100000), checksum = 0")
        shutil.copy(file, killed)
        shutil.copy(f"{file}-journal", f"{killed}-journal")
        database.rollback()
    assert killed.read_bytes() != file.read_bytes()
    found, number = MapStore(str(killed), network()).complete(CROPS)
    assert number == 6
    np.testing.assert_array_equal(found, maps)


def test_a_file_that_may_only_be_read_is_read(file):
    kept(file)
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        assert MapStore(str(file), network()).complete(CROPS)[1] == 6
    finally:
        file.parent.chmod(0o755)


def test_training_anew_removes_what_others_left(file):
    kept(file)
    other = MapStore(str(file), network(1))
    other.clear_others()
    other.keep(CROPS, other.complete(CROPS)[0])
    assert other.complete(CROPS)[1] == 6
    assert MapStore(str(file), network()).complete(CROPS)[1] == 0
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT COUNT(*) FROM maps").fetchone() == (6,)


def test_a_disk_without_room_ends_it(file, monkeypatch, caplog):
    usage = shutil.disk_usage(file.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    store = MapStore(str(file), network())
    with caplog.at_level(logging.WARNING):
        store.keep(CROPS[:2], store.complete(CROPS[:2])[0])
        store.keep(CROPS[2:], store.complete(CROPS[2:])[0])
    assert "more than half of the free disk space" in caplog.text
    assert store.complete(CROPS)[1] == 2


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, caplog):
    (tmp_path / "file").touch()
    store = MapStore(str(tmp_path / "file" / "maps.sqlite"), network())
    with caplog.at_level(logging.WARNING):
        store.keep(CROPS, store.complete(CROPS)[0])
    assert "no more maps are added" in caplog.text


def test_threads_may_share_it(file):
    maps = kept(file)
    store = MapStore(str(file), network())
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found, number in threads.map(store.complete, [CROPS] * 20):
            assert number == 6
            np.testing.assert_array_equal(found, maps)


def test_reading_changes_nothing(file):
    kept(file)
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    MapStore(str(file), network()).complete(CROPS)
    assert {path.name: path.read_bytes() for path in pathlib.Path(file).parent.iterdir()} == before
