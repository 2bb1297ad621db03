import json
import pathlib
import uuid

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image

from pipelines.extraction import counters
from pipelines.extraction.feature_extraction import ExtractFeatures, plan
from pipelines.feature_set import feature_set
from tests.pipelines import memory_file_system
from tests.pipelines.squares import Squares, files, pixels, planned, write_set
from tf_explainer.config import DatasetConfig, ExtractionConfig
from tf_explainer.datasets.registry import open_source

IN_PROCESS = ("--runner=FnApiRunner",)
TWO_PROCESSES = (*IN_PROCESS, "--direct_running_mode=multi_processing", "--direct_num_workers=2")


def run(extraction, options=IN_PROCESS):
    """Runs the pipeline as the binary does, and returns its counters."""
    feature_set.claim(extraction.shards.features_dir, extraction.configuration, overwrite=False)
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    _ = pipeline | "ExtractFeatures" >> ExtractFeatures(extraction)
    result = pipeline.run()
    result.wait_until_finish()
    return counters.totals(result)


@pytest.fixture(name="source", scope="module")
def _source():
    # Two in nine shards stay empty; number 3 cannot be read.
    return Squares(count=12, unreadable=(3,))


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed(tmp_path_factory, performer, source):
    """What the runner in this process makes of it: the files by name, and the counters."""
    folder = tmp_path_factory.mktemp("undisturbed")
    counters = run(planned(performer, folder, source, num_shards=9, max_dead_letters=0.5))
    return files(folder), counters


@pytest.fixture(name="extraction")
def _extraction(performer, source, tmp_path):
    return planned(performer, tmp_path / "features", source, num_shards=9, max_dead_letters=0.5)


def test_a_set_is_whole(undisturbed):
    content, _ = undisturbed
    manifest = json.loads(content["manifest.json"])
    assert (manifest["inputs"], manifest["outputs"], manifest["dead_letters"]) == (12, 11, 1)
    assert len([name for name in content if name.endswith(".tfrecord")]) == 9
    assert 0 in [shard["records"] for shard in manifest["shards"]]
    assert not [name for name in content if name.startswith(".")]


def test_the_job_holds_no_names_and_no_shards(performer, tmp_path):
    sizes = []
    for count in (10, 10_000):
        pipeline = beam.Pipeline(options=PipelineOptions(IN_PROCESS))
        extraction = planned(performer, tmp_path, Squares(count=count), num_shards=count)
        _ = pipeline | ExtractFeatures(extraction)
        sizes.append(pipeline.to_runner_api().ByteSize())
    assert abs(sizes[1] - sizes[0]) < 200


def test_counters_tell_what_was_done(undisturbed):
    content, counters = undisturbed
    size = sum(len(data) for name, data in content.items() if name.endswith(".tfrecord"))
    expected = {"read": 12, "decoded": 11, "computed": 11, "written": 11, "bytes": size}
    assert counters == expected | {"dead_letters": 1, "failed_damaged": 1}


def test_the_runner_changes_nothing(undisturbed, extraction, performer):
    write_set(extraction, performer)
    assert files(extraction.shards.features_dir) == undisturbed[0]


@pytest.mark.slow
def test_two_processes_change_nothing(undisturbed, extraction):
    counters = run(extraction, TWO_PROCESSES)
    assert files(extraction.shards.features_dir) == undisturbed[0]
    assert counters == undisturbed[1]


def test_a_finished_set_is_not_computed_again(undisturbed, extraction):
    run(extraction)
    counters = run(extraction)
    assert counters.get("computed", 0) == 0
    assert counters["written"] == 11
    assert files(extraction.shards.features_dir) == undisturbed[0]


def test_only_what_is_missing_is_computed(undisturbed, extraction):
    run(extraction)
    folder = pathlib.Path(extraction.shards.features_dir)
    manifest = feature_set.find_whole(str(folder))
    full = [shard for shard in manifest.shards if shard.records]
    (folder / full[0].file).unlink()
    (folder / full[1].file).write_bytes(b"torn")
    (folder / f"{full[2].file}.json").unlink()
    (folder / "manifest.json").unlink()
    (folder / ".unfinished-0123-features").write_bytes(b"left by a killed writer")
    counters = run(extraction)
    assert counters["computed"] == sum(shard.records for shard in full[:3])
    assert files(folder) == undisturbed[0]


def test_new_images_change_their_shard_alone(performer, tmp_path):
    # The number of images is not in this configuration, as that of a folder is not.
    dataset, settings = DatasetConfig(dataset="squares"), ExtractionConfig(num_shards=4)
    for count in (8, 9):
        counters = run(plan(Squares(count=count), dataset, performer, settings, str(tmp_path)))
    manifest = feature_set.find_whole(str(tmp_path))
    (changed,) = [
        Squares().shard_of(reference, 4)
        for reference in Squares(count=9).references()
        if reference.location == "8"
    ]
    assert manifest.inputs == 9
    assert counters["computed"] == manifest.shards[changed].records


def test_a_refused_set_has_no_manifest(performer, source, tmp_path):
    extraction = planned(performer, tmp_path, source, max_dead_letters=0.0)
    with pytest.raises(Exception, match="1 of 12"):
        run(extraction)
    assert feature_set.find_whole(str(tmp_path)) is None
    assert "1 of 12" in feature_set.refusal(str(tmp_path))


def test_too_many_dead_letters_stop_the_job_early(performer, tmp_path):
    source = Squares(count=40, unreadable=tuple(range(40)))
    extraction = planned(performer, tmp_path, source, num_shards=10, max_dead_letters=0.2)
    with pytest.raises(Exception, match=r"of 40 images cannot be used, more than --max_dead_letters=0\.2"):
        run(extraction)
    assert len(list(tmp_path.glob("*.tfrecord"))) < 10
    assert "of 40 images cannot be used" in feature_set.refusal(str(tmp_path))
    letters = len((tmp_path / "dead_letters.jsonl").read_text().splitlines())
    assert 8 < letters < 40
    # What made them fail may be repaired.
    repaired = planned(performer, tmp_path, Squares(count=40), num_shards=10, max_dead_letters=0.2)
    assert run(repaired)["computed"] == 40
    assert feature_set.find_whole(str(tmp_path)).outputs == 40
    assert feature_set.refusal(str(tmp_path)) is None


def test_a_shard_that_fails_leaves_the_others(performer, tmp_path):
    extraction = planned(performer, tmp_path, Unstable(count=12), num_shards=4)
    with pytest.raises(Exception, match="the disk is gone"):
        run(extraction)
    names = set(files(tmp_path))
    assert "manifest.json" not in names
    assert not [name for name in names if name.startswith(".")]
    assert {f"{name}.json" for name in names if name.endswith(".tfrecord")} == {
        name for name in names if name.endswith(".tfrecord.json")
    }


class Unstable(Squares):
    """Its disk breaks on the way."""

    def read(self, references):
        references = list(references)
        if any(reference.location == "5" for reference in references):
            raise OSError("the disk is gone")
        return super().read(references)


def test_features_go_to_other_file_systems(undisturbed, performer, source):
    remote = f"{memory_file_system.SCHEME}://bucket/{uuid.uuid4().hex}/features"
    run(planned(performer, remote, source, num_shards=9, max_dead_letters=0.5))
    stored = {
        path.removeprefix(f"{remote}/"): content
        for path, content in memory_file_system.FILES.items()
        if path.startswith(remote)
    }
    assert stored == undisturbed[0]
    assert feature_set.find_whole(remote)


def test_a_folder_with_hostile_files(performer, tmp_path):
    data = tmp_path / "images"
    for name in ("cat", "dog"):
        (data / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(pixels(number)).save(data / name / f"{number}.png")
    (data / "cat" / "empty.jpg").write_bytes(b"")
    whole = (data / "dog" / "0.png").read_bytes()
    (data / "dog" / "torn.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.full((1, 1), 7, np.uint8)).save(data / "dog" / "tiny grey.png")
    dataset = DatasetConfig(dataset="folder", data_dir=str(data))
    settings = ExtractionConfig(num_shards=2, max_dead_letters=0.5)
    run(plan(open_source(dataset), dataset, performer, settings, str(tmp_path / "features")))
    manifest = feature_set.find_whole(str(tmp_path / "features"))
    assert (manifest.inputs, manifest.outputs, manifest.dead_letters) == (11, 9, 2)
    lines = (tmp_path / "features" / "dead_letters.jsonl").read_text().splitlines()
    letters = {letter["id"]: letter for letter in map(json.loads, lines)}
    assert set(letters) == {"cat/empty.jpg", "dog/torn.png"}
    assert letters["cat/empty.jpg"]["location"] == str(data / "cat" / "empty.jpg")
    assert "empty" in letters["cat/empty.jpg"]["reason"]
