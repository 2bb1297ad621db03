import pathlib

import pytest

from pipelines.extraction import progress
from tests.pipelines.squares import Squares, planned, write_shards
from tf_explainer.errors import UserError


def test_finished_shards_are_counted_as_they_appear(performer, tmp_path):
    extraction = planned(performer, tmp_path / "now", Squares(unreadable=(3,)))
    written = planned(performer, tmp_path / "before", Squares(unreadable=(3,)))
    reports = write_shards(written, performer)
    folder = pathlib.Path(extraction.shards.features_dir)
    folder.mkdir()
    finished = progress.FinishedImages(extraction.shards)
    assert finished.count() == 0
    done = 0
    for report in reports:
        (folder / f"{report.shard.file}.json").write_text(report.to_json())
        done += report.shard.records + len(report.dead_letters)
        assert finished.count() == done
    assert done == 24


def test_files_of_another_number_of_shards_do_not_count(performer, tmp_path):
    write_shards(planned(performer, tmp_path, num_shards=3), performer)
    assert progress.FinishedImages(planned(performer, tmp_path, num_shards=4).shards).count() == 0


def test_a_broken_sidecar_does_not_count(performer, tmp_path):
    extraction = planned(performer, tmp_path)
    reports = write_shards(extraction, performer)
    (tmp_path / f"{reports[0].shard.file}.json").write_text("{")
    expected = sum(report.shard.records for report in reports[1:])
    assert progress.FinishedImages(extraction.shards).count() == expected


def test_the_bar_ends_at_all_images(performer, tmp_path, capsys):
    extraction = planned(performer, tmp_path)
    with progress.show(extraction.shards, extraction.source):
        write_shards(extraction, performer)
    shown = capsys.readouterr().err
    assert shown.splitlines()[-1].startswith("features: 24/24 images in 00:0")


def test_what_was_there_before_is_not_counted_as_speed(performer, tmp_path, capsys):
    extraction = planned(performer, tmp_path)
    write_shards(extraction, performer)
    with progress.show(extraction.shards, extraction.source):
        pass
    assert "images/s" not in capsys.readouterr().err


def test_the_bar_hides_no_error(performer, tmp_path, capfd):
    extraction = planned(performer, tmp_path, Unlisted())

    def fail():
        with progress.show(extraction.shards, extraction.source):
            raise UserError("the data set is damaged")

    with pytest.raises(UserError, match="damaged"):
        fail()
    assert "Traceback" not in capfd.readouterr().err


class Unlisted(Squares):
    """Its index is damaged."""

    def references(self):
        raise UserError("the index is damaged")
        yield
