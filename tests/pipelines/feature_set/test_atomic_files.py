import os
import pathlib
import uuid

import pytest

from pipelines.feature_set import atomic_files
from tests.pipelines import memory_file_system


@pytest.fixture(params=["local", "local, with signs that patterns have", "remote"])
def directory(request, tmp_path):
    if request.param == "remote":
        return f"{memory_file_system.SCHEME}://bucket/{uuid.uuid4().hex}"
    return str(tmp_path / ("run" if request.param == "local" else "run[1] of *?"))


def test_text_comes_back(directory):
    atomic_files.publish_text(f"{directory}/a.txt", "gr\u00fcn\n")
    assert atomic_files.read_text(f"{directory}/a.txt") == "gr\u00fcn\n"


def test_text_comes_back_that_came_in_pieces(directory):
    atomic_files.publish_texts(f"{directory}/a.txt", (f"{n}\n" for n in range(3)))
    assert atomic_files.read_text(f"{directory}/a.txt") == "0\n1\n2\n"


def test_a_file_goes_there_and_comes_back(directory, tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "here").write_bytes(content)
    atomic_files.publish_file(str(tmp_path / "here"), f"{directory}/there.gz")
    atomic_files.fetch_file(f"{directory}/there.gz", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    assert atomic_files.sizes(directory, "*") == {"there.gz": len(content)}


def test_an_older_file_is_replaced(directory):
    for text in ("old", "newer"):
        atomic_files.publish_text(f"{directory}/a", text)
    assert atomic_files.read_text(f"{directory}/a") == "newer"
    assert atomic_files.sizes(directory, "*") == {"a": 5}


def test_what_breaks_off_leaves_the_older_file_alone(directory, tmp_path, monkeypatch):
    atomic_files.publish_text(f"{directory}/a", "old")
    (tmp_path / "local").write_bytes(b"new")

    def breaks_off(source, target, length):
        target.write(source.read(length)[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic_files.shutil, "copyfileobj", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        atomic_files.publish_file(str(tmp_path / "local"), f"{directory}/a")
    assert atomic_files.read_text(f"{directory}/a") == "old"
    assert atomic_files.sizes(directory, "*") == {"a": 3}


def test_files_are_removed_by_pattern(directory):
    for name in ("a-1", "a-2", "b-1"):
        atomic_files.publish_text(f"{directory}/{name}", name)
    atomic_files.remove(directory, "a-*")
    atomic_files.remove(directory, "c-*")
    assert atomic_files.sizes(directory, "*") == {"b-1": 3}


def test_what_a_killed_writer_left_is_removed(tmp_path, monkeypatch):
    directory = str(tmp_path)
    atomic_files.publish_text(f"{directory}/a", "whole")
    with monkeypatch.context() as patch:
        # A killed process neither renames nor cleans up.
        patch.setattr(atomic_files.FileSystems, "rename", lambda *_: None)
        patch.setattr(atomic_files.FileSystems, "exists", lambda *_: False)
        atomic_files.publish_text(f"{directory}/b", "half")
    assert len(list(pathlib.Path(directory).iterdir())) == 2
    atomic_files.remove_unfinished(directory)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
