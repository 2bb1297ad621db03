"""The image of the workers has the tested versions and every file that it needs. It is not built here."""

import importlib.metadata
import pathlib
import re
import shlex

import pytest

from tests.support.source_imports import ROOT

FOLDER = ROOT / "pipelines"
LOCKS = ROOT / "requirements"


@pytest.fixture(name="lines")
def _lines():
    """Each instruction with its arguments."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and line[0] != "#"]


def arguments(lines, wanted):
    return [rest for instruction, rest in lines if instruction == wanted]


def pins(path):
    """The version of every package of a file of requirements."""
    found = re.findall(r"^([a-z0-9_.-]+)(?:\[[a-z,-]+\])?==(\S+)", path.read_text(), re.MULTILINE)
    return dict(found)


def test_beam_and_python_are_those_of_the_project(lines):
    (image,) = [rest for rest in arguments(lines, "FROM") if rest.startswith("apache/")]
    python, beam = re.fullmatch(r"apache/beam_python([\d.]+)_sdk:([\d.]+)", image).groups()
    assert beam == pins(LOCKS / "dev.txt")["apache-beam"] == importlib.metadata.version("apache-beam")
    assert f"--python-version {python} " in (ROOT / "Makefile").read_text()
    assert f'requires-python = ">={python}' in (ROOT / "pyproject.toml").read_text()
    (launcher,) = [rest for rest in arguments(lines, "FROM") if rest.startswith("gcr.io/")]
    assert f"/python{python.replace('.', '')}-template-launcher-base:${{LAUNCHER}} AS launcher" in launcher
    assert any(re.fullmatch(r"LAUNCHER=\d{8}_RC\d\d", rest) for rest in arguments(lines, "ARG"))


def test_what_is_copied_exists_and_is_not_ignored(lines):
    kept = [line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"]
    copied = [
        source
        for rest in arguments(lines, "COPY")
        if not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]
    assert {"tf_explainer", "pipelines", "configs", "requirements", "pyproject.toml"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert pathlib.PurePath(source).parts[0] in kept


def test_what_the_build_of_the_package_reads_is_copied(lines):
    copied = " ".join(arguments(lines, "COPY")).split()
    project = (ROOT / "pyproject.toml").read_text()
    for key in ("readme", "license-files"):
        (name,) = re.findall(rf'^{key} = \[?"([^"]+)"', project, re.MULTILINE)
        assert name in copied


def test_it_starts_workers_and_launches_jobs(lines):
    assert arguments(lines, "ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    environment = dict(rest.split("=", 1) for rest in arguments(lines, "ENV"))
    (folder,) = arguments(lines, "WORKDIR")
    program = pathlib.PurePath(environment["FLEX_TEMPLATE_PYTHON_PY_FILE"]).relative_to(folder)
    assert 'if __name__ == "__main__":' in (ROOT / program).read_text()


def test_workers_get_whole_lock_files_that_no_resolver_opens_again(lines):
    (install,) = [rest for rest in arguments(lines, "RUN") if "/tmp/requirements/" in rest]
    assert install.startswith("for name in installer ${ENVIRONMENTS};")
    assert {"--no-deps", "--no-build-isolation", "--require-hashes"} <= set(install.split())
    (default,) = re.findall(r"ENVIRONMENTS=(\w+)", " ".join(arguments(lines, "ARG")))
    assert default == "gcp"
    assert {"apache-beam", "keras", "tensorflow", "google-cloud-storage"} <= pins(LOCKS / "gcp.txt").keys()


def test_a_gpu_adds_nothing_but_its_driver_to_the_tested_versions():
    added = pins(LOCKS / "gpu.txt").keys() - pins(LOCKS / "core.txt").keys()
    assert added
    assert all(package.startswith("nvidia-") for package in added)


@pytest.mark.parametrize("name", ["core", "gcp", "gpu"])
def test_nothing_that_the_project_needs_is_missing(name):
    (block,) = re.findall(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    wanted = set(re.findall(r'^ *"([a-z0-9-]+)', block, re.MULTILINE))
    assert len(wanted) > 8
    assert wanted <= pins(LOCKS / f"{name}.txt").keys()
