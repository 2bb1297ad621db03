import functools
import pathlib
import shutil

import pytest
from absl.testing import flagsaver

from pipelines import extract_features, verify_features
from tests.pipelines.squares import files
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError

SHARD = "features-00001-of-00003.tfrecord"


@pytest.fixture(name="run_in", scope="module")
def _run_in(performer):
    """Runs a binary in this process, in a work directory, with the flags of the extraction."""

    def run_in(workdir, binary, *arguments):
        extraction = [
            *(f"--workdir={workdir}", "--dataset=creatures", "--num_images=12", "--num_shards=3"),
            *(f"--performer={performer.config.performer}", "--image_size=32", "--target_layer=conv"),
        ]
        with flagsaver.flagsaver():
            binary.main(flags.FLAGS(["program", *extraction, *arguments], known_only=True)[1:])

    return run_in


@pytest.fixture(name="run")
def _run(run_in, tmp_path):
    return functools.partial(run_in, tmp_path)


@pytest.fixture(name="extracted", scope="module")
def _extracted(run_in, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("extracted")
    run_in(workdir, extract_features)
    return workdir / "features"


@pytest.fixture(name="folder")
def _folder(extracted, tmp_path):
    return pathlib.Path(shutil.copytree(extracted, tmp_path / "features"))


def test_a_sound_set_is_said_to_be_one(run, folder, capsys):
    run(verify_features)
    assert capsys.readouterr().out == f"{folder} is complete and intact\n"


def test_the_directory_alone_is_enough(folder, capsys):
    with flagsaver.flagsaver(features_dir=f"{folder}/", dataset=None, workdir=None):
        verify_features.main([])
    assert capsys.readouterr().out == f"{folder} is complete and intact\n"


def test_what_is_broken_is_named_and_only_that_is_computed_again(run, folder, capsys):
    before = files(folder)
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / SHARD).write_bytes(before[SHARD][:-1] + b"x")
    with pytest.raises(UserError, match=r"features: 1 problem; .*--repair"):
        run(verify_features)
    said = capsys.readouterr().out
    assert said == f"{SHARD} has a different checksum than its sidecar says: its content was changed\n"
    run(verify_features, "--repair")
    said = capsys.readouterr().out
    assert said.endswith(f"{folder} is repaired: complete and intact\n")
    assert said.count("By the rule") == 1
    assert files(folder) == before
    untouched = {path.name for path in folder.iterdir() if path.stat().st_mtime_ns == times[path.name]}
    written = {SHARD, f"{SHARD}.json", "manifest.json", "dead_letters.jsonl"}
    assert untouched == before.keys() - written


@pytest.mark.slow
def test_a_set_that_nothing_tells_of_is_repaired_in_two_steps(run, folder):
    before = files(folder)
    (folder / "manifest.json").unlink()
    (folder / "configuration.json").write_text("{")
    (folder / SHARD).write_bytes(before[SHARD][:-1] + b"x")
    run(verify_features, "--repair")
    assert files(folder) == before


def test_unknown_flags_are_refused(run, folder, capsys):
    with pytest.raises(UserError, match="--repair"):
        run(verify_features, "--repiar")
    assert capsys.readouterr().out == ""
    assert folder.exists()
