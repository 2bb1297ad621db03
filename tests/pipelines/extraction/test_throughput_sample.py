import pathlib

import pytest

from pipelines.extraction import throughput_sample
from tests.pipelines.squares import Squares, planned, write_set
from tf_explainer.errors import UserError


def measured(performer, folder, source, images=100):
    predict = performer.feature_model().predict_on_batch
    return throughput_sample.measure(planned(performer, folder, source, num_shards=1), predict, images)


def test_all_images_of_a_small_set_are_measured(performer, tmp_path):
    sample = measured(performer, tmp_path / "measured", Squares(count=9, unreadable=(4,)))
    assert (sample.total, sample.images, sample.dead_letters) == (9, 9, 1)
    written = planned(performer, tmp_path / "written", Squares(count=9), num_shards=1)
    (shard,) = write_set(written, performer).shards
    assert sample.bytes == pytest.approx(shard.bytes * 8 / 9, rel=0.05)
    assert sample.total_bytes == sample.bytes
    assert sample.images_per_second == 9 / sample.seconds > 0


def test_nothing_is_written(performer, tmp_path):
    measured(performer, tmp_path / "features", Squares(count=9))
    assert not pathlib.Path(tmp_path / "features").exists()


def test_some_of_a_large_set_stand_for_the_rest(performer, tmp_path):
    first, second = (measured(performer, tmp_path, Squares(count=500), images=20) for _ in range(2))
    assert (first.total, first.images) == (500, 20)
    assert first.total_bytes == first.bytes * 25
    assert first.bytes == second.bytes


def test_the_choice_is_spread_over_the_set():
    total, chosen = throughput_sample._choose(Squares(count=3000), 300)
    numbers = sorted(int(reference.location) for reference in chosen)
    assert total == 3000
    assert len(set(numbers)) == 300
    assert 1300 < sum(numbers) / 300 < 1700
    assert [reference.id for reference in chosen] == sorted(reference.id for reference in chosen)


def test_a_set_without_images_is_refused(performer, tmp_path):
    with pytest.raises(UserError, match="no image"):
        measured(performer, tmp_path, Squares(count=0))
