import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipelines import feature_set, feature_verification
from pipelines.shard_report import ShardReport, finished_report
from tests.pipelines.squares import Squares, files, planned, write_set
from tf_explainer import feature_coding, schema
from tf_explainer.errors import UserError

SOURCE = Squares(unreadable=(3, 7))


@pytest.fixture(name="sound", scope="module", params=["sparse", "gzip"])
def _sound(request, tmp_path_factory, performer):
    """A sound set with two dead letters and an empty shard, and its extraction."""
    folder = tmp_path_factory.mktemp("features")
    settings = {"num_shards": 9, "max_dead_letters": 0.1, "encoding": request.param, "views": ("flip",)}
    extraction = planned(performer, folder, SOURCE, **settings)
    assert write_set(extraction, performer)
    return folder, extraction


@pytest.fixture(name="folder")
def _folder(sound, tmp_path):
    shutil.copytree(sound[0], tmp_path / "features")
    return tmp_path / "features"


def told(folder, source=SOURCE):
    return [f"{p.file} {p.what}" for p in feature_verification.verify(str(folder), source)]


def full_shard(folder):
    """The first shard that has a few records."""
    manifest = schema.Manifest.from_json((folder / "manifest.json").read_text())
    return next(folder / shard.file for shard in manifest.shards if shard.records > 2)


def test_a_sound_set_has_no_problem(sound):
    assert told(sound[0]) == []
    assert told(sound[0], source=None) == []


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
    import hashlib

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
    for key in ("features/conv", "features/fc1"):
        values = feature(stored[2], key).bytes_list.value[:]
        feature(stored[2], key).bytes_list.value[:] = feature(stored[0], key).bytes_list.value[:]
        feature(stored[0], key).bytes_list.value[:] = feature(stored[0], key).bytes_list.value[:]
        assert values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (repeat_the_first, "is there twice"),
        (drop_the_last, "records, its sidecar says"),
        (swap_views, "is the view 'flip' where 'original' is due"),
        (label_of_no_class, "has label 3, there are 3 classes"),
        (label_of_another_class, "has labels {"),
        (another_fold, "place of another image among the folds"),
        (scores_that_are_not_finite, "has scores that are not finite"),
        (landmarks_that_are_not_finite, "has landmarks that are not finite"),
        (too_few_scores, "cannot be read"),
        (no_crop, "cannot be read"),
        (another_image, "the data set has no such image"),
        (features_of_another, "features of other sums"),
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
        json.dumps(manifest | {"class_counts": {"fox": 5, "cat": 7, "negative": 8}})
    )


def exchanged_sidecars(folder):
    first, second = sorted(folder.glob("*.tfrecord.json"))[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def two_at_once(folder):
    flipped_bit(folder)
    damage("manifest.json", b"{}")(folder)
    damage("configuration.json", b"\xff\xfe")(folder)


SHARD = "features-00003-of-00009.tfrecord"
DAMAGES = {
    "a flipped bit": (flipped_bit, ["another checksum than its sidecar says"]),
    "a cut file": (cut, ["bytes, its sidecar says"]),
    "a lost file": (gone(SHARD), [f"{SHARD} is not there"]),
    "a lost sidecar": (gone(f"{SHARD}.json"), [f"{SHARD}.json is not there"]),
    "a damaged sidecar": (damage(f"{SHARD}.json", b"{"), [f"{SHARD}.json cannot be read"]),
    "exchanged sidecars": (exchanged_sidecars, ["is of shard 1", "is of shard 0"]),
    "a lost manifest": (gone("manifest.json"), ["manifest.json is not there: the set is not whole"]),
    "a damaged manifest": (damage("manifest.json", b"{}"), ["manifest.json cannot be read"]),
    "a changed manifest": (changed_manifest, ["manifest.json has class_counts that the shards contradict"]),
    "a lost configuration": (gone("configuration.json"), ["configuration.json is not there"]),
    "a damaged configuration": (damage("configuration.json", b"["), ["configuration.json cannot be read"]),
    "lost dead letters": (gone("dead_letters.jsonl"), ["dead_letters.jsonl does not name"]),
    "changed dead letters": (damage("dead_letters.jsonl", b""), ["dead_letters.jsonl does not name"]),
    "an unfinished file": (damage(".unfinished-1-a", b"x"), [".unfinished-1-a is no part of the set"]),
    "another set's file": (
        damage("features-00000-of-00002.tfrecord", b""),
        ["features-00000-of-00002.tfrecord is no part of the set"],
    ),
    "two at once": (two_at_once, ["manifest.json cannot", "configuration.json cannot", "another checksum"]),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_and_repaired_to_the_byte(kind, folder, sound, performer):
    spoil, words = DAMAGES[kind]
    before = files(folder)
    spoil(folder)
    if kind == "two at once":
        assert told(folder)[0].startswith("manifest.json cannot be read")
        # Without either, nothing says what the set should be: the extraction knows.
    else:
        problems = told(folder)
        assert len(problems) == len(words), problems
        assert all(word in problem for word, problem in zip(words, problems, strict=True)), problems
    extraction = dataclasses.replace(
        sound[1], shards=dataclasses.replace(sound[1].shards, features_dir=str(folder))
    )
    computed = repaired(extraction, performer)
    while told(folder):
        computed += repaired(extraction, performer)
    assert files(folder) == before
    assert len(computed) <= 2


def repaired(extraction, performer):
    """Repairs without Beam; returns the shards that were computed."""
    directory = extraction.shards.features_dir
    problems = list(feature_verification.verify(directory, SOURCE))
    feature_verification.discard(directory, extraction.configuration, problems)
    references = {index: [] for index in range(9)}
    for reference in sorted(SOURCE.references(), key=lambda reference: reference.id):
        references[SOURCE.shard_of(reference, 9)].append(reference)
    missing = [i for i in references if finished_report(extraction.shards, i, references[i]) is None]
    write_set(extraction, performer)
    return missing


def test_a_set_of_another_configuration_is_not_repaired(folder, sound):
    gone(SHARD)(folder)
    before = files(folder)
    other = sound[1].configuration | {"performer": "another"}
    problems = list(feature_verification.verify(str(folder)))
    with pytest.raises(UserError, match="another configuration"):
        feature_verification.discard(str(folder), other, problems)
    assert files(folder) == before


def test_many_wrong_records_are_not_all_named(folder):
    def no_folds(stored):
        for example in stored:
            feature(example, "fold_position").float_list.value[0] = 2.0

    rewritten(folder, no_folds)
    problems = told(folder)
    assert len(problems) <= 6
    assert feature_set.whole(str(folder))
