import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipelines.extraction.shard_writer import ShardWriter
from pipelines.feature_set import feature_set, verification
from pipelines.feature_set.shard_report import ShardReport, finished_report
from tests.pipelines.squares import Squares, files, finish, planned, write_set
from tests.support.slow_cases import slow_but
from tf_explainer.errors import UserError
from tf_explainer.features import feature_coding, schema

SOURCE = Squares(count=12, unreadable=(3,))
SHARDS = 3


@pytest.fixture(name="sound", scope="module")
def _sound(tmp_path_factory, performer):
    """A sound set with a dead letter, and its extraction."""
    folder = tmp_path_factory.mktemp("features")
    extraction = planned(performer, folder, SOURCE, num_shards=SHARDS, max_dead_letters=0.1, views=("flip",))
    assert write_set(extraction, performer)
    return folder, extraction


@pytest.fixture(name="folder")
def _folder(sound, tmp_path):
    shutil.copytree(sound[0], tmp_path / "features")
    return tmp_path / "features"


def told(folder, source=SOURCE):
    return [f"{p.file} {p.what}" for p in verification.verify(str(folder), source)]


def full_shard(folder):
    """The first shard that has a few records."""
    manifest = schema.Manifest.from_json((folder / "manifest.json").read_text())
    return next(folder / shard.file for shard in manifest.shards if shard.records > 2)


def test_a_sound_set_has_no_problem(sound):
    assert told(sound[0]) == []
    assert told(sound[0], source=None) == []


@pytest.mark.parametrize("encoding", ["gzip", "float16"])
def test_a_sound_set_of_another_encoding_has_no_problem(encoding, performer, tmp_path):
    extraction = planned(performer, tmp_path, Squares(count=3), num_shards=4, encoding=encoding)
    assert write_set(extraction, performer)  # One shard at least is empty.
    assert told(tmp_path, Squares(count=3)) == []


def rewritten(folder, change):
    """Changes a shard's records, with a sidecar and a manifest that fit the new file."""
    shard = full_shard(folder)
    sidecar = shard.with_name(f"{shard.name}.json")
    report = ShardReport.from_json(sidecar.read_text())
    manifest = schema.Manifest.from_json((folder / "manifest.json").read_text())
    compression = feature_coding.file_compression(manifest.encoding)
    stored = [
        tf.train.Example.FromString(record)
        for record in tf.data.TFRecordDataset(str(shard), compression).as_numpy_iterator()
    ]
    stored = change(stored) or stored
    with tf.io.TFRecordWriter(str(shard), compression) as writer:
        for example in stored:
            writer.write(example.SerializePartialToString(deterministic=True))
    content = shard.read_bytes()
    new = dataclasses.replace(report.shard, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    sidecar.write_text(dataclasses.replace(report, shard=new).to_json())
    shards = tuple(new if one.file == new.file else one for one in manifest.shards)
    (folder / "manifest.json").write_text(dataclasses.replace(manifest, shards=shards).to_json())


def feature(example, key):
    return example.features.feature[key]


def repeat_the_first(stored):
    return [stored[0], stored[1], *stored]


def drop_the_last(stored):
    return stored[:-2]


def swap_views(stored):
    stored[0], stored[1] = stored[1], stored[0]


def label_of_no_class(stored):
    feature(stored[0], "label").int64_list.value[0] = 3


def label_of_another_class(stored):
    value = feature(stored[0], "label").int64_list.value
    value[0] = (value[0] + 1) % 3


def another_fold(stored):
    feature(stored[1], "fold_position").float_list.value[0] = 0.5


def scores_that_are_not_finite(stored):
    feature(stored[1], "scores").float_list.value[2] = np.nan


def landmarks_that_are_not_finite(stored):
    feature(stored[1], "landmarks").float_list.value[:] = [np.inf] * 8


def too_few_scores(stored):
    feature(stored[0], "scores").float_list.value.pop()


def no_crop(stored):
    feature(stored[0], "crop").bytes_list.value[0] = b"nothing"


def another_image(stored):
    for example, view in zip(stored[:2], ("", "#flip"), strict=True):
        feature(example, "id").bytes_list.value[0] = f"square/100{view}".encode()


def features_of_another(stored):
    feature(stored[2], "features/fc1").CopyFrom(feature(stored[0], "features/fc1"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (repeat_the_first, "appears twice"),
        pytest.param(drop_the_last, "records, its sidecar says", marks=pytest.mark.slow),
        pytest.param(swap_views, "is the view 'flip' instead of 'original'", marks=pytest.mark.slow),
        (label_of_no_class, "has label 3, there are 3 classes"),
        pytest.param(label_of_another_class, "has labels {", marks=pytest.mark.slow),
        pytest.param(another_fold, "fold position of another image", marks=pytest.mark.slow),
        pytest.param(scores_that_are_not_finite, "has scores that are not finite", marks=pytest.mark.slow),
        pytest.param(
            landmarks_that_are_not_finite, "has landmarks that are not finite", marks=pytest.mark.slow
        ),
        pytest.param(too_few_scores, "cannot be read", marks=pytest.mark.slow),
        pytest.param(no_crop, "cannot be read", marks=pytest.mark.slow),
        pytest.param(another_image, "the data set has no such image", marks=pytest.mark.slow),
        (features_of_another, "features with different sums"),
    ],
)
def test_a_wrong_record_is_named(folder, change, words):
    rewritten(folder, change)
    problems = told(folder)
    assert any(words in problem for problem in problems), problems
    assert all(problem.startswith(full_shard(folder).name) for problem in problems), problems


def damage(name, content):
    def spoil(folder):
        (folder / name).write_bytes(content)

    return spoil


def flipped_bit(folder):
    content = bytearray(full_shard(folder).read_bytes())
    content[len(content) // 2] ^= 1
    full_shard(folder).write_bytes(content)


def cut(folder):
    full_shard(folder).write_bytes(full_shard(folder).read_bytes()[:-1])


def gone(name):
    return lambda folder: (folder / name).unlink()


def changed_manifest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(
        json.dumps(manifest | {"class_counts": {"fox": 5, "cat": 3, "negative": 3}})
    )


def exchanged_sidecars(folder):
    first, second = sorted(folder.glob("*.tfrecord.json"))[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


SHARD = "features-00001-of-00003.tfrecord"
DAMAGES = {
    "a flipped bit": (flipped_bit, ["different checksum than its sidecar says"]),
    "a cut file": (cut, ["bytes, its sidecar says"]),
    "a lost file": (gone(SHARD), [f"{SHARD} is missing"]),
    "a lost sidecar": (gone(f"{SHARD}.json"), [f"{SHARD}.json is missing"]),
    "a damaged sidecar": (damage(f"{SHARD}.json", b"{"), [f"{SHARD}.json cannot be read"]),
    "exchanged sidecars": (exchanged_sidecars, ["is of shard 1", "is of shard 0"]),
    "a lost manifest": (gone("manifest.json"), ["manifest.json is missing: the set is incomplete"]),
    "a damaged manifest": (damage("manifest.json", b"{}"), ["manifest.json cannot be read"]),
    "a changed manifest": (changed_manifest, ["manifest.json has class_counts that the shards contradict"]),
    "a lost configuration": (gone("configuration.json"), ["configuration.json is missing"]),
    "a damaged configuration": (damage("configuration.json", b"["), ["configuration.json cannot be read"]),
    "lost dead letters": (gone("dead_letters.jsonl"), ["dead_letters.jsonl does not name"]),
    "changed dead letters": (damage("dead_letters.jsonl", b""), ["dead_letters.jsonl does not name"]),
    "an unfinished file": (damage(".unfinished-1-a", b"x"), [".unfinished-1-a is not part of the set"]),
    "another set's file": (
        damage("features-00000-of-00002.tfrecord", b""),
        ["features-00000-of-00002.tfrecord is not part of the set"],
    ),
}


@pytest.mark.parametrize("kind", slow_but(DAMAGES, ["a changed manifest", "an unfinished file"]))
def test_damage_is_named_and_repaired_to_the_byte(kind, folder, sound, performer):
    spoil, words = DAMAGES[kind]
    before = files(folder)
    spoil(folder)
    problems = list(verification.verify(str(folder), SOURCE))
    named = [f"{problem.file} {problem.what}" for problem in problems]
    assert len(named) == len(words), named
    assert all(word in name for word, name in zip(words, named, strict=True)), named
    shards = dataclasses.replace(sound[1].shards, features_dir=str(folder))
    extraction = dataclasses.replace(sound[1], shards=shards)
    verification.discard(str(folder), extraction.configuration, problems)
    computed = finished(extraction, performer)
    assert computed == len({problem.shard for problem in problems} - {None})
    assert told(folder) == []
    assert files(folder) == before


def finished(extraction, performer):
    """Computes what is missing, without Beam; returns how many shards that were."""
    settings = extraction.shards
    predict = performer.feature_model().predict_on_batch
    references = {index: [] for index in range(SHARDS)}
    for reference in sorted(SOURCE.references(), key=lambda reference: reference.id):
        references[SOURCE.shard_of(reference, SHARDS)].append(reference)
    reports = {index: finished_report(settings, index, references[index]) for index in references}
    missing = [index for index, report in reports.items() if report is None]
    for index in missing:
        writer = ShardWriter(settings, SOURCE, predict, lambda *_: None)
        reports[index] = writer.write(index, references[index])
    assert finish(extraction, list(reports.values()), 12)
    return len(missing)


def test_without_manifest_and_configuration_the_shards_are_kept(folder, sound, performer):
    before = files(folder)
    damage("manifest.json", b"{}")(folder)
    damage("configuration.json", b"\xff\xfe")(folder)
    problems = list(verification.verify(str(folder), SOURCE))
    assert [problem.file for problem in problems] == ["manifest.json", "configuration.json"]
    shards = dataclasses.replace(sound[1].shards, features_dir=str(folder))
    extraction = dataclasses.replace(sound[1], shards=shards)
    verification.discard(str(folder), extraction.configuration, problems)
    assert finished(extraction, performer) == 0
    assert files(folder) == before


def test_a_set_of_another_configuration_is_not_repaired(folder, sound):
    gone(SHARD)(folder)
    before = files(folder)
    other = sound[1].configuration | {"performer": "another"}
    problems = list(verification.verify(str(folder)))
    with pytest.raises(UserError, match="another configuration"):
        verification.discard(str(folder), other, problems)
    assert files(folder) == before


def test_a_directory_without_features_is_no_damaged_set(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="there are no features in"):
            told(place)


def test_many_wrong_records_are_not_all_named(folder):
    def no_folds(stored):
        for example in stored:
            feature(example, "fold_position").float_list.value[0] = 2.0

    rewritten(folder, no_folds)
    problems = told(folder)
    assert len(problems) <= 6
    assert feature_set.find_whole(str(folder))
