import dataclasses
import json
import pathlib

import pytest

from pipelines.extraction.feature_extraction import plan
from pipelines.extraction.shard_count import number_of_images, shard_count
from pipelines.feature_set import feature_set
from tests.pipelines.squares import Squares, write_set
from tf_explainer.config import DatasetConfig, ExtractionConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class InFiles(Squares):
    """Can only be read in order, and says how much that is at most."""

    def references(self):
        pytest.fail("all files are read")

    def at_most(self):
        return self.count + 1000

    def parts(self):
        return [self]

    def encoded(self, references):
        raise NotImplementedError

    def decoded(self, result):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("images", "shards"), [(0, 16), (12, 16), (16_000, 16), (16_001, 17), (20_000, 20), (20_001, 21)]
)
def test_a_shard_for_each_thousand_images_but_no_fewer_than_before(tmp_path, images, shards):
    assert shard_count(0, Squares(count=images), str(tmp_path)) == shards


def test_what_is_asked_for_is_taken(tmp_path):
    assert shard_count(7, InFiles(count=50_000), str(tmp_path)) == 7


def test_files_of_many_images_are_not_read_to_count_them(tmp_path):
    assert number_of_images(InFiles(count=50_000)) == 51_000
    assert shard_count(0, InFiles(count=50_000), str(tmp_path)) == 51


def planned(performer, folder, count, **extraction):
    dataset = DatasetConfig(dataset="squares")
    return plan(Squares(count=count), dataset, performer, ExtractionConfig(**extraction), str(folder))


def test_a_set_keeps_its_shards_when_images_come(performer, tmp_path):
    first = planned(performer, tmp_path, 12, num_shards=3)
    assert write_set(first, performer).outputs == 12
    later = planned(performer, tmp_path, 20_000)
    assert later.shards.num_shards == 3
    feature_set.claim(str(tmp_path), later.configuration, overwrite=False)
    assert feature_set.find_whole(str(tmp_path)).outputs == 12
    # Of a set that was copied without its configuration, the manifest tells.
    (tmp_path / feature_set.CONFIGURATION).unlink()
    assert planned(performer, tmp_path, 20_000).configuration == first.configuration


def test_the_number_is_part_of_the_configuration(performer, tmp_path):
    extraction = planned(performer, tmp_path, 20_001)
    assert extraction.configuration["extraction"]["num_shards"] == extraction.shards.num_shards == 21
    assert json.loads(extraction.shards.configuration)["extraction"]["num_shards"] == 21


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"extraction": 1}',
        '{"extraction": {"num_shards": "3"}}',
        '{"extraction": {"num_shards": -3}}',
    ],
)
def test_a_damaged_configuration_tells_nothing(tmp_path, content):
    pathlib.Path(tmp_path, feature_set.CONFIGURATION).write_text(content)
    assert feature_set.claimed_shards(str(tmp_path)) is None
    assert shard_count(0, Squares(count=20_001), str(tmp_path)) == 21
