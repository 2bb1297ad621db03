import json

import numpy as np
import pytest

from pipelines.feature_set import feature_set
from pipelines.feature_set.shard_report import sidecar_name
from tests.pipelines.squares import SIZE, Squares, files, finish, planned, write_set, write_shards
from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.images.crop import crop_to_object

CONFIGURATION = {"performer": "a" * 64, "extraction": {"num_shards": 3}, "layers": ["conv", "fc1"]}


def test_a_new_directory_is_claimed(tmp_path):
    feature_set.claim(str(tmp_path / "new" / "er"), CONFIGURATION, overwrite=False)
    feature_set.claim(str(tmp_path / "new" / "er"), CONFIGURATION, overwrite=False)
    (content,) = files(tmp_path / "new" / "er").values()
    assert json.loads(content) == CONFIGURATION


def test_another_configuration_is_refused_by_name(tmp_path):
    feature_set.claim(str(tmp_path), CONFIGURATION, overwrite=False)
    before = files(tmp_path)
    other = CONFIGURATION | {"extraction": {"num_shards": 4}}
    with pytest.raises(UserError, match=r"extraction.num_shards: 3 there, 4 here.*--overwrite"):
        feature_set.claim(str(tmp_path), other, overwrite=False)
    assert files(tmp_path) == before


def test_another_configuration_replaces_all_if_asked(tmp_path, performer):
    write_set(planned(performer, tmp_path), performer)
    (tmp_path / "notes.txt").write_text("mine")
    feature_set.claim(str(tmp_path), CONFIGURATION, overwrite=True)
    assert set(files(tmp_path)) == {"configuration.json", "notes.txt"}


def test_the_same_configuration_keeps_all(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    write_set(extraction, performer)
    before = files(tmp_path)
    feature_set.claim(str(tmp_path), extraction.configuration, overwrite=True)
    assert files(tmp_path) == before


def test_a_set_that_was_copied_without_its_configuration_is_still_another(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    write_set(extraction, performer)
    (tmp_path / "configuration.json").unlink()
    feature_set.claim(str(tmp_path), extraction.configuration, overwrite=False)
    with pytest.raises(UserError, match="another configuration"):
        feature_set.claim(str(tmp_path), CONFIGURATION, overwrite=False)


def test_a_directory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/features"):
        feature_set.claim(str(tmp_path / "file" / "features"), CONFIGURATION, overwrite=False)


def test_features_do_not_depend_on_folds_but_on_all_else(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    flat = json.dumps(extraction.configuration)
    assert "fold" not in flat
    for name in ("num_images", "num_shards", "batch_size", "encoding", "jpeg_quality", "image_size", "views"):
        assert name in flat
    assert extraction.configuration["performer"] == performer.fingerprint
    assert extraction.configuration["layers"] == ["conv", "fc1", "fc2"]


@pytest.fixture(name="written", scope="module")
def _written(tmp_path_factory, performer):
    """A whole set with two dead letters, and its manifest."""
    folder = tmp_path_factory.mktemp("features")
    extraction = planned(performer, folder, Squares(unreadable=(3, 7)), num_shards=9, max_dead_letters=0.1)
    return folder, extraction, write_set(extraction, performer)


def test_the_manifest_counts_everything(written):
    _, _, manifest = written
    assert (manifest.inputs, manifest.outputs, manifest.dead_letters) == (24, 22, 2)
    assert manifest.class_counts == {"fox": 7, "cat": 7, "negative": 8}
    assert sum(shard.records for shard in manifest.shards) == 22


def test_the_manifest_says_what_was_stored(written, performer):
    _, extraction, manifest = written
    assert manifest.classes == ("fox", "cat", "negative")
    assert manifest.negative_class == "negative"
    assert manifest.landmarks == ("eye", "tail")
    assert manifest.num_scores == 3
    assert manifest.image_size == SIZE
    assert manifest.performer == performer.fingerprint
    assert manifest.receptive_field == performer.receptive_field()
    assert manifest.dtype == "float16"
    assert manifest.encoding == "sparse"
    assert manifest.configuration == extraction.configuration
    assert set(manifest.versions) == {"python", "apache-beam", "keras", "numpy", "pillow", "tensorflow"}


def test_the_manifest_has_the_statistics_of_the_performer_on_all_images(written, performer):
    _, extraction, manifest = written
    crops = [
        crop_to_object(record, SIZE)
        for reference, record in extraction.source.read(extraction.source.references())
        if reference.location not in ("3", "7")
    ]
    outputs = performer.feature_model().predict_on_batch(np.stack(crops))
    assert manifest.target.name == "conv"
    assert [layer.name for layer in manifest.distilled] == ["fc1", "fc2"]
    for spec in (manifest.target, *manifest.distilled):
        stored = outputs[spec.name].astype(np.float16).astype(np.float64)
        assert spec.shape == stored.shape[1:]
        flat = stored.reshape(len(stored), -1)
        # Batches of another size may change the last bit of a float32 result.
        np.testing.assert_allclose(spec.mean, flat.mean(), rtol=1e-5)
        np.testing.assert_allclose(spec.mean_norm, np.sqrt((flat**2).sum(1)).mean(), rtol=1e-5)
        np.testing.assert_allclose(spec.mean_square_norm, (flat**2).sum(1).mean(), rtol=1e-5)
        np.testing.assert_allclose(spec.zeros, (flat == 0).mean(), atol=1e-3)


def test_views_count_as_their_image(tmp_path, performer, written):
    """Neither counts nor statistics are those of records."""
    _, _, without = written
    source = Squares(unreadable=(3, 7))
    extraction = planned(
        performer, tmp_path, source, num_shards=9, max_dead_letters=0.1, views=("flip", "crop")
    )
    manifest = write_set(extraction, performer)
    assert manifest.views == ("flip", "crop")
    assert (manifest.inputs, manifest.outputs, manifest.dead_letters) == (24, 22, 2)
    assert manifest.class_counts == without.class_counts
    for with_views, alone in zip(manifest.shards, without.shards, strict=True):
        assert with_views.records == 3 * alone.records
    # Batches of other images may change the last bit of a float32 result.
    np.testing.assert_allclose(manifest.target.mean, without.target.mean, rtol=1e-5)
    assert len((tmp_path / "dead_letters.jsonl").read_text().splitlines()) == 2


def test_every_shard_is_there_also_without_images(written):
    folder, _, manifest = written
    assert [shard.file for shard in manifest.shards] == [schema.shard_name(index, 9) for index in range(9)]
    assert 0 in [shard.records for shard in manifest.shards]
    for shard in manifest.shards:
        assert (folder / shard.file).stat().st_size == shard.bytes


def test_dead_letters_have_id_place_and_reason(written):
    folder, _, _ = written
    letters = [json.loads(line) for line in (folder / "dead_letters.jsonl").read_text().splitlines()]
    assert sorted(letters, key=lambda letter: letter["id"]) == [
        {"id": "square/3", "location": "3", "kind": "damaged", "reason": "it is torn"},
        {"id": "square/7", "location": "7", "kind": "damaged", "reason": "it is torn"},
    ]


def test_without_dead_letters_their_file_is_empty(tmp_path, performer):
    assert write_set(planned(performer, tmp_path), performer)
    assert (tmp_path / "dead_letters.jsonl").read_bytes() == b""


def test_a_set_without_manifest_is_not_whole(tmp_path, performer):
    write_set(planned(performer, tmp_path), performer)
    (tmp_path / "manifest.json").unlink()
    assert feature_set.find_whole(str(tmp_path)) is None


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_bytes(b"")])
def test_a_set_without_one_of_its_files_is_not_whole(tmp_path, performer, spoil):
    manifest = write_set(planned(performer, tmp_path), performer)
    spoil(tmp_path / manifest.shards[1].file)
    assert feature_set.find_whole(str(tmp_path)) is None


def test_a_damaged_manifest_is_told(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json.*remove it"):
        feature_set.find_whole(str(tmp_path))


@pytest.mark.parametrize(
    ("count", "unreadable", "allowed", "reason"),
    [
        (20, (1, 2), 0.09, r"2 of 20 images cannot be used, more than --max_dead_letters=0.09 allows"),
        (3, (0, 1, 2), 1.0, r"3 of 3 images cannot be used, which leaves none"),
        (0, (), 1.0, "no image"),
    ],
)
def test_a_set_is_refused(tmp_path, performer, count, unreadable, allowed, reason):
    source = Squares(count=count, unreadable=unreadable)
    extraction = planned(performer, tmp_path, source, max_dead_letters=allowed)
    assert write_set(extraction, performer) is None
    assert reason in feature_set.refusal(str(tmp_path))
    assert not (tmp_path / "manifest.json").exists()
    assert len((tmp_path / "dead_letters.jsonl").read_text().splitlines()) == len(unreadable)


def test_as_many_dead_letters_as_allowed_are_no_reason(tmp_path, performer):
    extraction = planned(performer, tmp_path, Squares(count=20, unreadable=(1, 2)), max_dead_letters=0.1)
    assert write_set(extraction, performer)
    assert feature_set.refusal(str(tmp_path)) is None


def test_shards_with_dead_letters_of_a_refused_set_are_not_finished(tmp_path, performer):
    extraction = planned(performer, tmp_path, Squares(unreadable=(1,)), max_dead_letters=0.0)
    assert write_set(extraction, performer) is None
    feature_set.claim(str(tmp_path), extraction.configuration, overwrite=False)
    unfinished = {f"{name}.json" for name in files(tmp_path) if name.endswith(".tfrecord")} - set(
        files(tmp_path)
    )
    index = extraction.source.shard_of(list(extraction.source.references())[1], 3)
    assert unfinished == {sidecar_name(index, 3)}


def test_the_next_claim_forgets_a_refusal(tmp_path, performer):
    extraction = planned(performer, tmp_path, Squares(count=0))
    write_set(extraction, performer)
    assert feature_set.refusal(str(tmp_path))
    feature_set.claim(str(tmp_path), extraction.configuration, overwrite=False)
    assert feature_set.refusal(str(tmp_path)) is None


def test_dead_letters_of_the_whole_set_are_those_of_its_sidecars(written):
    folder, _, manifest = written
    sidecars = [json.loads((folder / f"{shard.file}.json").read_text()) for shard in manifest.shards]
    expected = [letter for sidecar in sidecars for letter in sidecar["dead_letters"]]
    found = (folder / "dead_letters.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in found] == expected
    assert len(expected) == 2


def test_lost_images_are_noticed(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    reports = write_shards(extraction, performer)
    assert not finish(extraction, reports, inputs=25)
    assert "25 images went in, but 24 stored ones and 0 dead letters" in feature_set.refusal(str(tmp_path))


def test_lost_shards_are_noticed(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    reports = write_shards(extraction, performer)
    assert not finish(extraction, reports[:-1], inputs=24 - reports[-1].shard.records)
    assert "2 of 3" in feature_set.refusal(str(tmp_path))


def test_the_manifest_does_not_depend_on_the_order_of_reports(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    reports = write_shards(extraction, performer)
    manifests = []
    for order in (reports, reports[::-1]):
        assert finish(extraction, order, inputs=24)
        manifests.append((tmp_path / "manifest.json").read_bytes())
    assert manifests[0] == manifests[1]


def test_what_killed_writers_left_is_gone_at_the_end(tmp_path, performer):
    extraction = planned(performer, tmp_path)
    reports = write_shards(extraction, performer)
    (tmp_path / ".unfinished-0123-features-00000-of-00003.tfrecord").write_bytes(b"half")
    finish(extraction, reports, inputs=24)
    assert not [name for name in files(tmp_path) if name.startswith(".")]
