import dataclasses
import pathlib
import pickle
import tracemalloc

import pytest

from pipelines.feature_set.layer_sums import LayerSums
from pipelines.feature_set.shard_report import (
    ShardReport,
    ShardSettings,
    digest,
    finished_report,
    reports_named,
    sidecar_name,
)
from tf_explainer.features.schema import Shard, shard_name
from tf_explainer.images.record import ImageReference

REFERENCES = [ImageReference(id=f"image/{n}", label=n, location=str(n)) for n in range(3)]
CONTENT = b"features"


@pytest.fixture(name="settings")
def _settings(tmp_path):
    return ShardSettings(
        features_dir=str(tmp_path),
        layers=("conv", "fc1"),
        landmarks=(),
        image_size=32,
        num_shards=2,
        batch_size=4,
        encoding="float16",
        jpeg_quality=90,
        views=(),
        views_seed=0,
        configuration="{}",
    )


@pytest.fixture(name="report")
def _report(settings):
    """The report of shard 1, which is there."""
    name = shard_name(1, settings.num_shards)
    report = ShardReport(
        index=1,
        digest=digest(settings, REFERENCES),
        shard=Shard(file=name, records=2, bytes=len(CONTENT), sha256="0" * 64),
        labels={0: 1, 2: 1},
        num_scores=3,
        sums={"conv": LayerSums(shape=(2, 2, 3), images=2, total=1.5), "fc1": LayerSums()},
        dead_letters=({"id": "image/1", "location": "1", "reason": "it is torn"},),
    )
    folder = pathlib.Path(settings.features_dir)
    (folder / name).write_bytes(CONTENT)
    (folder / sidecar_name(1, settings.num_shards)).write_text(report.to_json())
    return report


def test_a_report_comes_back_from_json(report):
    assert ShardReport.from_json(report.to_json()) == report


def with_dead_letters(report, number):
    letters = ({"id": f"{n:09d}", "location": "0" * 100, "reason": "it is torn"} for n in range(number))
    return dataclasses.replace(report, dead_letters=tuple(letters))


def test_a_summary_does_not_grow_with_dead_letters(report):
    few, many = (with_dead_letters(report, number).summary() for number in (1, 1000))
    assert (few.dead_letters, many.dead_letters, many.images) == (1, 1000, 2)
    assert abs(len(pickle.dumps(few)) - len(pickle.dumps(many))) < 5


def test_reports_are_read_in_the_order_of_their_names(report, tmp_path):
    for index in range(40):
        text = dataclasses.replace(report, index=index).to_json()
        (tmp_path / sidecar_name(index, 40)).write_text(text)
    wanted = range(39, 0, -2)
    found = reports_named(str(tmp_path), (sidecar_name(index, 40) for index in wanted))
    assert [each.index for each in found] == list(wanted)
    (tmp_path / sidecar_name(5, 40)).write_text("{}")
    with pytest.raises(ValueError, match="not a shard's report"):
        list(reports_named(str(tmp_path), [sidecar_name(5, 40)]))


def test_reports_that_are_read_in_turn_are_not_held(report, tmp_path):
    (tmp_path / "one").write_text(with_dead_letters(report, 500).to_json())

    def peak(number):
        tracemalloc.start()
        count = sum(len(each.dead_letters) for each in reports_named(str(tmp_path), ["one"] * number))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 500 * number
        return highest

    assert peak(160) < 2 * peak(32)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"shard": 3}', '{"shard": {"file": "x"}}'])
def test_other_json_is_no_report(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        ShardReport.from_json(text)


def test_a_finished_shard_is_recognised(settings, report):
    assert finished_report(settings, 1, REFERENCES) == report


@pytest.mark.usefixtures("report")
def test_a_shard_without_sidecar_is_not_finished(settings):
    assert finished_report(settings, 0, REFERENCES) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file, _: file.unlink(),
        lambda file, _: file.write_bytes(CONTENT[:-1]),
        lambda _, sidecar: sidecar.write_text(sidecar.read_text()[:40]),
        lambda _, sidecar: sidecar.write_text(""),
    ],
    ids=["file missing", "file torn", "sidecar torn", "sidecar empty"],
)
def test_a_spoilt_shard_is_not_finished(settings, report, spoil):
    folder = pathlib.Path(settings.features_dir)
    spoil(folder / report.shard.file, folder / sidecar_name(1, 2))
    assert finished_report(settings, 1, REFERENCES) is None


@pytest.mark.parametrize(
    "others",
    [
        REFERENCES[:2],
        REFERENCES[::-1],
        [*REFERENCES[:2], dataclasses.replace(REFERENCES[2], label=0)],
    ],
    ids=["fewer", "another order", "another label"],
)
@pytest.mark.usefixtures("report")
def test_a_shard_of_other_images_is_not_finished(settings, others):
    assert finished_report(settings, 1, others) is None


@pytest.mark.usefixtures("report")
def test_a_shard_of_other_settings_is_not_finished(settings):
    assert finished_report(dataclasses.replace(settings, configuration='{"a": 1}'), 1, REFERENCES) is None
