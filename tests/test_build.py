"""BUILD names only what is there, and third-party packages that are locked."""

import re

from tests.support.source_imports import ROOT

TEXT = (ROOT / "BUILD").read_text(encoding="utf-8")
ROOMS = {
    folder.name
    for package in ("tf_explainer", "pipelines")
    for folder in (ROOT / package).iterdir()
    if (folder / "__init__.py").exists()
}


def test_every_room_is_a_library_of_its_own():
    blocks = re.findall(r"^\w+_ROOMS = \{(.*?)^\}", TEXT, re.MULTILINE | re.DOTALL)
    assert {
        name for block in blocks for name in re.findall(r'^    "(\w+)": \[', block, re.MULTILINE)
    } == ROOMS


def test_it_stays_short():
    assert len(TEXT.splitlines()) < 250


def test_every_binary_is_a_program():
    for package, constant in (("tf_explainer", "TF_EXPLAINER_BINARIES"), ("pipelines", "PIPELINES_BINARIES")):
        (block,) = re.findall(rf"^{constant} = \[(.*?)^\]", TEXT, re.MULTILINE | re.DOTALL)
        binaries = {
            path.stem
            for path in (ROOT / package).glob("*.py")
            if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
        }
        # Those have a name each; `__main__` is one name for all of them.
        assert set(re.findall(r'"(\w+)"', block)) == binaries - {"__main__"}
        assert len(binaries) >= 3


def test_third_party_packages_are_locked():
    lines = (ROOT / "requirements" / "dev.txt").read_text().splitlines()
    locked = {line.split("==")[0].split("[")[0] for line in lines if "==" in line}
    used = {name.replace("_", "-") for name in re.findall(r'"@pypi//(\w+)"', TEXT)}
    assert {"keras", "numpy", "tensorflow"} <= used
    assert used <= locked
