import importlib.metadata
import os
import pathlib
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support import warm_python
from tf_explainer.command_line import doctor

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_this_environment_is_as_the_project_asks():
    result = warm_python.run("-m", "tf_explainer", "doctor")
    assert result.returncode == 0, result.stdout
    assert result.stdout.endswith("Everything needed is there.\n")
    assert "FIX" not in result.stdout
    for what in ("Python", "TensorFlow", "GPU", "disk", "workdir", "Keras", "extra gcp", "browser"):
        assert f"{what}:" in result.stdout
    assert importlib.metadata.version("tensorflow") in result.stdout


def test_faults_are_counted_and_make_the_exit_status(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda _: iter([doctor.Finding("a", "is bad", "mend it", True)]))
    said = []
    assert not doctor.main(said.append, "runs")
    assert said[0].startswith("FIX")
    assert "mend it" in said[0]
    assert said[1] == "\n1 to fix."
    monkeypatch.setattr(sys, "argv", ["doctor"])
    with pytest.raises(SystemExit, match="1"):
        doctor.run()


def test_packages_are_compared_with_what_was_tested():
    numpy = importlib.metadata.version("numpy")
    wrong = list(doctor.packages([f"numpy>={numpy}", "numpy<1", "no-such-package>=2"]))
    assert [each.state for each in wrong] == [f"numpy {numpy}", "no-such-package is missing"]
    assert all(each.is_fault and "make setup" in each.advice for each in wrong)
    assert "needs numpy<1" in wrong[0].advice
    (right,) = doctor.packages([f"numpy=={numpy}"])
    assert not right.is_fault


@pytest.mark.parametrize(
    ("system", "is_fault"),
    [
        (("Linux", "x86_64", ("glibc", "2.36")), False),
        (("Linux", "aarch64", ("glibc", "2.28")), False),
        (("Linux", "x86_64", ("glibc", "2.17")), True),
        (("Darwin", "arm64", ("", "")), False),
        (("Darwin", "x86_64", ("", "")), True),
        (("Windows", "AMD64", ("", "")), True),
    ],
)
def test_machines_that_tensorflow_does_not_run_on_are_named(system, is_fault):
    assert doctor._system(*system).is_fault is is_fault


def test_python_is_compared_with_what_the_project_says():
    assert not doctor._python("3.12.1", PROJECT["requires-python"]).is_fault
    assert doctor._python("3.10.9", PROJECT["requires-python"]).is_fault
    assert doctor._python("3.14.0", PROJECT["requires-python"]).is_fault


def test_a_tensorflow_that_cannot_be_imported_is_a_fault(tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no such library: libtf')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = doctor._tensorflow()
    assert found.is_fault
    assert "no such library: libtf" in found.state
    (tmp_path / "tensorflow.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)\n")
    (found,) = doctor._tensorflow()
    assert "ended by signal 4" in found.state


def test_settings_of_keras_are_looked_at(monkeypatch):
    assert not doctor._keras().is_fault
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor._keras().is_fault


def test_the_place_for_a_run_is_tried(tmp_path):
    written, disk = doctor._storage(str(tmp_path / "a" / "b"))
    assert "is writable" in written.state
    assert not disk.is_fault or "0." in disk.state
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_a_fault(tmp_path):
    tmp_path.chmod(0o500)
    assert next(doctor._storage(str(tmp_path / "run"))).is_fault


def test_every_extra_for_users_is_looked_for():
    assert set(doctor._EXTRAS) == set(PROJECT["optional-dependencies"]) - {"dev"}
    assert doctor._extra("gcp", "", ["no-such-package"]).state.startswith("not installed")
    wanted = [Requirement(line).name for line in doctor._with_extras(["apache-beam[gcp]"])]
    assert "google-cloud-storage" in wanted
