"""All commands by one name."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.support import warm_python
from tf_explainer.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("asked", [(), ("--help",), ("help",)])
def test_it_lists_all_commands(asked):
    result = warm_python.run("-m", "tf_explainer", *asked)
    assert result.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert "keeps finished work" in result.stdout


@pytest.mark.parametrize("name", ["train_performer", "train-performer"])
def test_a_command_is_its_module(name):
    result = warm_python.run("-m", "tf_explainer", name, "--help")
    assert result.returncode == 0
    assert result.stdout == warm_python.run("-m", "tf_explainer.train_performer", "--help").stdout


def test_a_command_that_does_not_exist_is_told_with_those_that_do():
    result = warm_python.run("-m", "tf_explainer", "trian")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "Error: there is no command 'trian'; there are: run, doctor, train_performer"
    )


@pytest.mark.parametrize("name", ["doctor", "run"])
def test_a_python_without_packages_is_told(name):
    # -S: as if nothing were installed.
    result = subprocess.run(
        [sys.executable, "-S", "-m", "tf_explainer", name],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "make setup" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_next_command_is_not_told_where_it_follows_by_itself(monkeypatch):
    from tf_explainer.command_line import entry_point
    from tf_explainer.command_line import usage as command_line

    assert entry_point.next_command("tf_explainer.train").startswith("Next: ")
    monkeypatch.setenv(command_line.ONE_OF_ALL_STEPS, "1")
    assert entry_point.next_command("tf_explainer.train") == ""
