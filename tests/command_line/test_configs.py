"""The example flagfiles, copied to another folder, still find each other."""

import pathlib

import pytest
from absl.testing import flagsaver

from tf_explainer.command_line import configs, flags
from tf_explainer.errors import UserError


def test_copies_parse_from_where_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copies = configs.copy(pathlib.Path("my/flags"))
    assert pathlib.Path("my/flags/demo.flags") in copies
    for file in copies:
        with flagsaver.flagsaver():
            assert flags.FLAGS(["program", f"--flagfile={file}"]) == ["program"]


def test_a_folder_that_exists_stays_as_it_is(tmp_path):
    (tmp_path / "demo.flags").write_text("mine")
    with pytest.raises(UserError, match="exists, so nothing was copied"):
        configs.copy(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["demo.flags"]
