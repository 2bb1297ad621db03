import json
import pathlib

import pytest

from pipelines.feature_set import dead_letters
from tests.pipelines.squares import Squares, files, planned, write_set, write_shards


def test_the_file_names_them_in_the_order_of_the_shards(performer, tmp_path):
    reports = write_shards(planned(performer, tmp_path, Squares(unreadable=(1, 2, 3))), performer)
    dead_letters.publish(str(tmp_path), reports)
    lines = (tmp_path / "dead_letters.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [letter for r in reports for letter in r.dead_letters]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("number", "inputs", "allowed", "words"),
    [
        (0, 0, 0.0, None),
        (0, 10, 0.0, None),
        (1, 10, 0.0, "1 of 10 images cannot be used, more than --max_dead_letters=0 allows"),
        (1, 10, 0.1, None),
        (2, 10, 0.1, "more than --max_dead_letters=0.1 allows"),
        (9, 10, 1.0, None),
        (10, 10, 1.0, "10 of 10 images cannot be used, which leaves none"),
    ],
)
def test_how_many_are_too_many(number, inputs, allowed, words):
    objection = dead_letters.too_many("here", number, inputs, allowed)
    if words is None:
        assert objection is None
    else:
        assert words in objection
        assert "here/dead_letters.jsonl" in objection


def test_shards_that_hold_them_are_forgotten(performer, tmp_path):
    extraction = planned(performer, tmp_path, Squares(unreadable=(1, 4)), max_dead_letters=0.5)
    write_set(extraction, performer)
    before = files(tmp_path)
    assert dead_letters.forget(str(tmp_path)) == 2
    holders = {extraction.source.shard_of(list(extraction.source.references())[n], 3) for n in (1, 4)}
    gone = {f"features-{index:05d}-of-00003.tfrecord.json" for index in holders} | {"manifest.json"}
    assert before.keys() - files(tmp_path).keys() == gone


def test_a_set_without_any_stays_whole(performer, tmp_path):
    write_set(planned(performer, tmp_path), performer)
    before = files(tmp_path)
    assert dead_letters.forget(str(tmp_path)) == 0
    assert files(tmp_path) == before
    assert dead_letters.forget(str(pathlib.Path(tmp_path, "nothing"))) == 0
