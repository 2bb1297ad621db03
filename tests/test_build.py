"""BUILD has every module as a target, with what it imports as its deps."""

import ast

import pytest

from tests.build_targets import BUILD, expected, render
from tests.source_imports import ROOT

AGAIN = "BUILD is out of date: make build_file"


def targets(text):
    """The targets that a BUILD file declares, by name; such files are written in a subset of Python."""
    calls = [node.value for node in ast.parse(text).body if isinstance(node.value, ast.Call)]
    declared = [
        (call.func.id, {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords})
        for call in calls
        if call.func.id.startswith("py_")
    ]
    assert len({attributes["name"] for _, attributes in declared}) == len(declared), "a name is given twice"
    return {attributes["name"]: (rule, attributes) for rule, attributes in declared}


@pytest.fixture(scope="module")
def build():
    return targets(BUILD.read_text(encoding="utf-8"))


def test_every_module_has_its_target(build):
    modules = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for folder in ("benchmarks", "pipelines", "tests", "tf_explainer")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in ("__init__.py", "pytest_main.py")
    }
    assert sorted(modules - set(build)) == [], AGAIN
    assert sorted(set(build) - modules) == [
        "benchmarks/__init__",
        "pipelines/__init__",
        "tf_explainer/__init__",
        "tf_explainer/datasets/builders/__init__",
    ], AGAIN


@pytest.mark.parametrize("name", expected())
def test_deps_are_what_the_module_imports(build, name):
    assert build.get(name) == expected()[name], AGAIN


def test_some_targets_are_as_a_person_would_write_them(build):
    assert build["tf_explainer/losses"] == (
        "py_library",
        {
            "name": "tf_explainer/losses",
            "srcs": ["tf_explainer/losses.py"],
            "deps": [
                ":tf_explainer/cross_replica",
                ":tf_explainer/templates",
                "@pypi//keras",
                "@pypi//tensorflow",
            ],
        },
    )
    assert build["tf_explainer/train"][0] == "py_binary"
    assert "deps" not in build["tf_explainer/errors"][1]
    assert "@pypi//pillow" in build["tf_explainer/images"][1]["deps"]
    rule, losses = build["tests/test_losses"]
    assert rule == "py_test"
    assert {":tf_explainer/losses", ":tests/conftest", "@pypi//pytest"} <= set(losses["deps"])


def test_third_party_packages_are_locked(build):
    locked = {
        line.split("==")[0].split("[")[0]
        for line in (ROOT / "requirements" / "dev.txt").read_text().splitlines()
        if "==" in line
    }
    used = {
        dep.removeprefix("@pypi//")
        for _, attributes in build.values()
        for dep in attributes.get("deps", ())
        if dep.startswith("@pypi//")
    }
    assert {"keras", "numpy", "tensorflow"} <= used
    assert {package.replace("_", "-") for package in used} <= locked


def test_dependencies_have_no_cycle(build):
    done = set()

    def visit(name, path):
        assert name not in path, [*path, name]
        if name not in done:
            for dep in build[name][1].get("deps", ()):
                if dep.startswith(":"):
                    visit(dep[1:], [*path, name])
            done.add(name)

    for name in build:
        visit(name, [])
    assert done == set(build)


def test_what_is_written_is_what_was_meant():
    assert targets(render(expected())) == expected()
