import re

import pytest

from benchmarks.encodings import StoredAnew, _table
from tests.pipelines.squares import planned, saved_performer, write_set


@pytest.fixture(name="stored", scope="module")
def _stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    performer = saved_performer(tmp_path_factory.mktemp("performer"))
    assert write_set(planned(performer, folder, views=("flip",)), performer)
    return StoredAnew(str(folder))


@pytest.mark.slow
def test_every_encoding_has_a_row(stored):
    text = "".join(_table(stored))
    assert re.findall(r"^\| `(\w+)`", text, re.MULTILINE) == ["float16", "gzip", "sparse"]
    assert "`conv` [8, 8, 4]" in text
    assert "48 images" in text


@pytest.mark.slow
def test_sets_that_are_stored_anew_hold_the_same(stored, tmp_path):
    manifest = stored.write_set(tmp_path, "gzip")
    (tmp_path / "manifest.json").write_text(manifest.to_json())
    again = StoredAnew(str(tmp_path))
    assert again.manifest.encoding == "gzip"
    assert again.features.keys() == stored.features.keys()
    for image_id, features in stored.features.items():
        for layer, values in features.items():
            assert again.features[image_id][layer].tobytes() == values.tobytes()
