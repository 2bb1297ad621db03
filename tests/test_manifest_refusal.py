"""Which stored features `tf_explainer.features.dataset` accepts, and what it says of the others."""

import dataclasses
import json

import pytest

from tests.pipelines.squares import planned, saved_performer, write_set
from tf_explainer.errors import UserError
from tf_explainer.features.manifest import check_manifest, read_manifest, verify_checksums
from tf_explainer.performer.performer import Performer


@pytest.fixture(name="performer", scope="module")
def _performer(tmp_path_factory):
    return saved_performer(tmp_path_factory.mktemp("performer"))


@pytest.fixture(name="folder")
def _folder(tmp_path, performer):
    """A set that a test may spoil."""
    write_set(planned(performer, tmp_path, num_shards=2), performer)
    return tmp_path


def test_a_whole_set_is_read(folder):
    manifest = read_manifest(str(folder))
    assert json.loads(manifest.to_json()) == json.loads((folder / "manifest.json").read_text())
    verify_checksums(manifest, str(folder))


def test_without_a_manifest_the_command_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no feature manifest.*python -m pipelines\.extract_features"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "not a feature manifest"),
        (lambda text: text.replace('"format_version": ', '"format_version": 99'), r"version 99\d"),
        (lambda text: text.replace('"landmarks"', '"marks"'), "landmarks"),
        (lambda _: "[]", "not a feature manifest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder, change, words):
    path = folder / "manifest.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=words) as error:
        read_manifest(str(folder))
    assert str(path) in str(error.value)
    assert "pipelines.extract_features" in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "is missing"),
        (lambda file: file.write_bytes(file.read_bytes()[:-7]), r"has \d+ bytes, but its manifest says \d+"),
    ],
)
def test_a_missing_or_torn_shard_is_named(folder, spoil, words):
    spoil(folder / "features-00001-of-00002.tfrecord")
    with pytest.raises(UserError, match=rf"features-00001-of-00002\.tfrecord.*{words}"):
        read_manifest(str(folder))


def test_a_shard_whose_content_changed_is_named(folder):
    file = folder / "features-00000-of-00002.tfrecord"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    manifest = read_manifest(str(folder))
    with pytest.raises(UserError, match=r"features-00000-of-00002\.tfrecord has changed since"):
        verify_checksums(manifest, str(folder))


def performer_like(performer, **changes):
    return Performer(performer.model, dataclasses.replace(performer.config, **changes))


def test_fitting_features_are_accepted(folder, performer):
    check_manifest(read_manifest(str(folder)), performer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"distilled_layers": ("fc1",)}, r"--distilled_layers=fc1, but .* of fc1,fc2"),
        ({"distilled_layers": ("fc2",)}, r"--distilled_layers=fc2, but .* of fc1,fc2"),
    ],
)
def test_features_of_other_layers_are_refused(folder, performer, changes, words):
    with pytest.raises(UserError, match=words):
        check_manifest(read_manifest(str(folder)), performer_like(performer, **changes))


def test_features_of_another_target_layer_are_refused(folder, performer):
    manifest = read_manifest(str(folder))
    other = dataclasses.replace(manifest, target=dataclasses.replace(manifest.target, name="block4_conv3"))
    with pytest.raises(UserError, match=r"--target_layer=conv, but the stored features are of block4_conv3"):
        check_manifest(other, performer)


def test_features_of_another_performer_are_refused(folder, performer, tmp_path):
    other = saved_performer(tmp_path, seed=1)
    with pytest.raises(UserError, match="fingerprint") as error:
        check_manifest(read_manifest(str(folder)), other)
    assert performer.fingerprint[:12] in str(error.value)
    assert other.fingerprint[:12] in str(error.value)
