"""The tabs' scripts: what `make lint` does not check, and that its packages are pinned by hash."""

import json

import pytest

from tests.support.source_imports import ROOT

WEB = ROOT / "tf_explainer" / "plugins" / "web"


@pytest.mark.parametrize(
    "script",
    sorted(path.relative_to(WEB).as_posix() for path in WEB.glob("*/*") if path.parent.name != "vendor"),
)
def test_lines_are_short(script):
    # Biome leaves the HTML inside of template literals as it is.
    lines = (WEB / script).read_text(encoding="utf-8").splitlines()
    assert lines
    assert max(map(len, lines)) <= 140


def test_packages_are_pinned_by_hash_and_come_from_no_fixed_host():
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    installed = {name: package for name, package in packages.items() if name}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())
    assert not [name for name, package in installed.items() if "resolved" in package]
