"""What `pip install` brings: the distribution's files, console scripts and entry points."""

import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile

import pytest

from tf_explainer.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What pipelines/ holds besides modules makes images of a checkout.
SOURCES = {
    path.relative_to(ROOT).as_posix()
    for pattern in ("tf_explainer/**/*", "pipelines/**/*.py")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix != ".pyc"
}
NOT_OURS = (".*", "__pycache__", "*.egg-info", "bazel-*", "build", "dist", "node_modules", "runs")

FLAGFILES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.flags")}


def binaries():
    """The modules that a person runs as programs."""
    return {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for folder in ("tf_explainer", "tf_explainer/command_line", "pipelines")
        for path in (ROOT / folder).glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }


def test_every_binary_is_a_console_script():
    expected = {
        f"tf-explainer-{module.rpartition('.')[2].replace('_', '-')}": f"{module}:run"
        for module in binaries() - {"tf_explainer.__main__"}
    }
    assert PROJECT["scripts"] == expected | {"tf-explainer": "tf_explainer.__main__:run"}
    assert set(COMMANDS.values()) == binaries() - {"tf_explainer.__main__"}
    assert len(expected) >= 4


@pytest.mark.parametrize("target", PROJECT["scripts"].values())
def test_a_console_script_leads_to_a_function(target):
    module, function = target.split(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    "target", [target for group in PROJECT["entry-points"].values() for target in group.values()]
)
def test_an_entry_point_leads_to_a_class(target):
    module, name = target.split(":")
    assert isinstance(getattr(importlib.import_module(module), name), type)


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """A wheel and an sdist, built of the files that are here by the packages that are installed."""
    pytest.importorskip("build", reason="needs the package `build`: make setup")
    folder, project = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("checkout") / "project"
    # Building leaves things behind, which other tests could come across.
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*NOT_OURS))
    command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(project)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(distributions):
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    flagfiles = {
        f"tf_explainer-{PROJECT['version']}.data/data/share/tf_explainer/{name}" for name in FLAGFILES
    }
    assert names == SOURCES | flagfiles


@pytest.mark.slow
def test_an_installed_wheel_copies_flagfiles_that_work_where_they_are(distributions, tmp_path):
    (wheel,) = distributions.glob("*.whl")
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The packages of this environment, but the wheel in place of the project.
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            f"--python={python}",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        env=outside,
        check=True,
    )
    place = subprocess.run(
        [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    pathlib.Path(place.stdout.strip(), "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    command = [tmp_path / "venv" / "bin" / "tf-explainer-configs", "mine"]
    copied = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True, check=True)
    assert copied.stdout.split() == sorted(f"mine/{name.removeprefix('configs/')}" for name in FLAGFILES)
    assert "--flagfile=mine/base.flags" in (tmp_path / "mine" / "demo.flags").read_text()
    again = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert (again.returncode, again.stderr) == (
        1,
        "Error: mine exists, so nothing was copied: name a new folder\n",
    )


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(distributions):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert names >= {"README.md", "LICENSE", "pyproject.toml"} | SOURCES | FLAGFILES


@pytest.mark.slow
def test_twine_takes_them(distributions):
    pytest.importorskip("twine", reason="needs the package `twine`: make setup")
    files = [str(file) for file in distributions.iterdir()]
    command = [sys.executable, "-m", "twine", "check", "--strict", *files]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
