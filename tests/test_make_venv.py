"""The script behind `make setup`, on an empty list of requirements, in a folder with a space in its name."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NO_ENSUREPIP = 'case "$*" in *ensurepip*|*virtualenv*|*"-m pip"*) exit 1;; esac'


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "my project"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "make_venv.sh", folder / "tools")
    (folder / "requirements.txt").touch()
    return folder


def stub(folder, name, *lines):
    """Writes a shell script that stands for a program."""
    file = folder / name
    folder.mkdir(exist_ok=True)
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)
    return file


def make(project, *arguments, path=None):
    return subprocess.run(
        [project / "tools" / "make_venv.sh", *arguments],
        env=os.environ | {"PATH": f"{path}:/usr/bin:/bin" if path else os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python", ["no_such_python", "/bin/false"])
def test_a_python_that_does_not_do_is_refused(project, python):
    result = make(project, python)
    assert result.returncode == 1
    assert f"PYTHON={python}" in result.stderr
    assert not (project / ".venv").exists()


def test_names_that_do_not_run_are_passed_over(project, tmp_path):
    for name in ("python3.12", "python3.11", "python3.13", "python3"):
        stub(tmp_path / "bin", name, "echo 'not installed' >&2; exit 127")
    stub(tmp_path / "bin", "python", NO_ENSUREPIP, f'exec "{sys.executable}" "$@"')
    stub(tmp_path / "bin", "id", "echo 1000")
    result = make(project, path=tmp_path / "bin")
    assert "Making .venv by python (Python 3." in result.stderr


def test_no_python_at_all_says_what_to_do(project, tmp_path):
    for name in ("python3.12", "python3.11", "python3.13", "python3", "python"):
        stub(tmp_path / "bin", name, "exit 127")
    result = make(project, path=tmp_path / "bin")
    assert result.returncode == 1
    assert "make setup PYTHON=" in result.stderr


def test_a_python_without_pip_says_what_to_install(project, tmp_path):
    python = stub(tmp_path / "bin", "bare", NO_ENSUREPIP, f'exec "{sys.executable}" "$@"')
    stub(tmp_path / "bin", "id", "echo 1000")
    result = make(project, python, path=tmp_path / "bin")
    assert result.returncode == 1
    assert "apt install python3." in result.stderr
    assert (project / ".venv" / "unfinished").exists()


@pytest.mark.slow
def test_it_is_made_once_and_again_where_it_has_to_be(project):
    result = make(project, sys.executable)
    assert result.returncode == 0, result.stderr
    venv = project / ".venv"
    assert sorted(file.name for file in venv.iterdir() if file.name in ("installed", "unfinished")) == [
        "installed"
    ]

    (venv / "mine").touch()
    assert make(project).stderr == ""
    assert make(project, sys.executable).stderr == ""
    assert (venv / "mine").exists(), "it was whole, and made again"

    (venv / "unfinished").touch()
    assert make(project).returncode == 0
    assert not (venv / "mine").exists(), "it was half-made, and kept"

    (venv / "mine").touch()
    (project / "requirements.txt").write_text("# Changed.\n")
    assert make(project).returncode == 0
    assert not (venv / "mine").exists(), "it was of other requirements, and kept"


@pytest.mark.slow
def test_an_environment_made_by_hand_is_taken(project):
    subprocess.run([sys.executable, "-m", "venv", project / ".venv"], check=True)
    (project / ".venv" / "mine").touch()
    result = make(project)
    assert "Installing into the .venv that is here" in result.stderr
    assert result.returncode == 0, result.stderr
    assert (project / ".venv" / "mine").exists()
    assert make(project).stderr == ""
