import numpy as np
import pytest

from benchmarks import stores
from benchmarks.encodings import StoredAnew
from tests.pipelines.squares import planned, saved_performer, write_set


@pytest.fixture(name="stored", scope="module")
def _stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    performer = saved_performer(tmp_path_factory.mktemp("performer"))
    assert write_set(planned(performer, folder), performer)
    return StoredAnew(str(folder))


@pytest.mark.slow
def test_every_store_gives_back_the_same_values(stored, tmp_path):
    every = stores.stores(str(tmp_path), stored)
    assert len(every) == 5
    for name, store in every.items():
        store.write()
        batches = list(store.batches())
        for layer in store.shapes:
            read = np.concatenate([np.asarray(batch[layer]) for batch in batches])
            expected = np.stack([image[layer] for image in store.images])
            assert read.dtype == np.float32, name
            np.testing.assert_array_equal(read, expected.astype(np.float32), err_msg=name)


@pytest.mark.slow
def test_plain_floats_take_what_float32_takes(stored, tmp_path):
    every = stores.stores(str(tmp_path), stored)
    floats = every["`float_list` of `tf.train.Example`"]
    floats.write()
    assert floats.float32_bytes < floats.bytes < 1.5 * floats.float32_bytes + 200
