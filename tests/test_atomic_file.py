import os
import pathlib
import stat

import pytest

from tf_explainer import atomic_file


def test_file_appears_whole_under_its_name(tmp_path):
    target = tmp_path / "deep" / "down" / "model.keras"
    with atomic_file.replacing(target) as temporary:
        assert not target.exists()
        assert temporary.endswith(".keras")
        pathlib.Path(temporary).write_text("content")
    assert target.read_text() == "content"
    assert os.listdir(target.parent) == ["model.keras"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_interrupted_writing_leaves_the_old_file(tmp_path, error):
    target = tmp_path / "metrics.json"
    target.write_text("old")

    def write():
        with atomic_file.replacing(target) as temporary:
            pathlib.Path(temporary).write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_writer_that_replaces_the_temporary_file(tmp_path):
    target = tmp_path / "model.keras"
    with atomic_file.replacing(target) as temporary:
        pathlib.Path(temporary).unlink()
        pathlib.Path(temporary).write_text("anew")
    assert target.read_text() == "anew"


def test_permissions_are_those_of_an_ordinary_new_file(tmp_path):
    atomic_file.write_text(tmp_path / "atomic", "x")
    (tmp_path / "ordinary").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "ordinary")}
    assert len(modes) == 1


def test_bare_name_is_written_to_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic_file.write_text("plain.txt", "Füchse\n")
    assert (tmp_path / "plain.txt").read_bytes() == "Füchse\n".encode()


def test_a_directory_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "made" / "model"
    for content in ("old", "new"):
        with atomic_file.replacing_directory(path) as temporary:
            pathlib.Path(temporary, content).write_text(content)
    assert [file.name for file in path.iterdir()] == ["new"]

    def write_half():
        with atomic_file.replacing_directory(path) as temporary:
            pathlib.Path(temporary, "half").write_text("")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert [file.name for file in path.parent.iterdir()] == ["model"]
