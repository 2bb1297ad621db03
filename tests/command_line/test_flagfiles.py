import os

import pytest

from tf_explainer.command_line import flagfiles
from tf_explainer.errors import UserError

LINES = "--workdir=runs/späti\n--steps=3\n"


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "is written in UTF-16"),
        ("utf-16-le", "is written in UTF-16"),
        ("utf-8-sig", "begins with a byte order mark"),
        ("latin-1", r"is not UTF-8 text \(line 1\)"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_flagfiles_that_are_no_utf_8_are_named(tmp_path, encoding, message, nested):
    path = tmp_path / "mine.flags"
    path.write_bytes(LINES.encode(encoding))
    outer = tmp_path / "outer.flags"
    outer.write_text(f"--seed=1\n--flagfile={path}\n")
    with pytest.raises(UserError, match=rf"--flagfile={path} {message}"):
        flagfiles.check_flagfiles([f"--flagfile={outer if nested else path}"])


def test_other_flagfiles_pass(tmp_path):
    path = tmp_path / "mine.flags"
    path.write_text(f"{LINES}--flagfile={path}\n", encoding="utf-8")
    flagfiles.check_flagfiles([f"-flagfile={path}", "--flagfile=nowhere", "--seed=1"])


def test_home_is_put_in_its_place(monkeypatch):
    monkeypatch.setenv("HOME", "/home/her")
    assert flagfiles.with_home("~/runs") == "/home/her/runs"
    assert flagfiles.with_home(["~/a", "b~"]) == ["/home/her/a", "b~"]
    assert flagfiles.with_home(3) == 3
    assert flagfiles.with_home(None) is None
    assert flagfiles.with_home("gs://~/a") == "gs://~/a"
    assert os.path.expanduser("~") == "/home/her"
