"""What a release consists of, and that it is the same wherever it is built."""

import functools
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import time
import zipfile

import pytest
from packaging.requirements import Requirement

from tests.test_packaging import NOT_OURS, PROJECT

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENDORED = {
    path.relative_to(ROOT).as_posix() for path in (ROOT / "tf_explainer").rglob("vendor/*") if path.is_file()
}
EPOCH = 1_700_000_000


@functools.cache
def release():
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def third_party():
    return (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")


def test_every_vendored_file_is_named_with_its_licence():
    named = set(re.findall(r"`(tf_explainer/[^`]+)`", third_party()))
    assert len(VENDORED) >= 3
    assert named == VENDORED


def test_no_other_file_looks_vendored():
    foreign = [
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.min.js", "*.woff*", "*.ttf", "*.otf")
        for room in ("tf_explainer", "pipelines")
        for path in (ROOT / room).rglob(pattern)
    ]
    assert foreign == []


def test_what_is_vendored_is_in_the_bill_of_materials():
    found = {component["name"]: component for component in release().vendored(third_party())}
    assert {name: each["licenses"] for name, each in found.items()} == {
        "htm": [{"license": {"id": "Apache-2.0"}}],
        "preact": [{"license": {"id": "MIT"}}],
    }
    assert found["htm"]["purl"] == "pkg:npm/htm@3.1.1"


def test_the_changelog_has_the_version_and_room_for_the_next():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(PROJECT['version'])}\] - \d{{4}}-\d\d-\d\d", headings[1])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two builds of the same files, whose folders, times, permissions and umask differ."""
    outputs = []
    for number, mask in enumerate((0o022, 0o077)):
        folder = tmp_path_factory.mktemp(f"place {number}")
        sources, output = folder / ("sources" * (number + 1)), folder / "dist"
        shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(*NOT_OURS))
        output.mkdir()
        for path in sources.rglob("*"):
            path.chmod(path.stat().st_mode & ~mask)
            os.utime(path, (time.time() - 1000 * number,) * 2)
        before = os.umask(mask)
        try:
            release().build(sources, output, EPOCH)
        finally:
            os.umask(before)
        outputs.append({path.name: path for path in output.iterdir()})
    return outputs


@pytest.mark.slow
def test_two_builds_are_the_same_bit_by_bit(built):
    first, second = built
    assert sorted(first) == sorted(second)
    assert len(first) == 2
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


@pytest.mark.slow
def test_the_wheel_brings_the_core_only(built, tmp_path):
    (wheel,) = (path for name, path in built[0].items() if name.endswith(".whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    (info,) = tmp_path.glob("*.dist-info")
    metadata = importlib.metadata.PathDistribution(info).metadata
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    always = {each.name for each in requirements if each.marker is None}
    assert always == {Requirement(line).name for line in PROJECT["dependencies"]}
    assert always.isdisjoint({"keras-hub", "ipykernel", "nbclient", "pytest", "ruff", "mypy", "build"})
    assert not any(each.extras for each in requirements if each.marker is None)
    assert set(metadata.get_all("Provides-Extra")) >= {"gcp", "notebook", "hub", "dev"}
    by_extra = {
        extra: {each.name for each in requirements if each.marker and each.marker.evaluate({"extra": extra})}
        for extra in ("gcp", "notebook", "hub", "dev")
    }
    assert by_extra["gcp"] == {"apache-beam"}
    assert by_extra["notebook"] == {"ipykernel", "nbclient"}
    assert by_extra["hub"] == {"keras-hub"}
    assert {"pytest", "ruff", "mypy"} <= by_extra["dev"]
    licences = {path.relative_to(info / "licenses").as_posix() for path in info.rglob("licenses/**/*")}
    assert licences >= {"LICENSE", "THIRD_PARTY.md"}
