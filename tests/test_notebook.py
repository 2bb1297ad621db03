"""The notebooks of docs/ fit the API, and run from their first to their last cell as a person runs them."""

import ast
import functools
import importlib
import importlib.util
import inspect
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from tests.datasets import birds

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = ("creatures", "birds")
# Small enough for a test.
CREATURES = "IMAGES, PERFORMER_EPOCHS, STEPS = 90, 1, 6\nFOLDER = 'run'\nMY_IMAGES = []\n"
BIRDS = """
BIRDS, DATA, FOLDER, MY_IMAGES = "CUB_200_2011", "tfds", "run", []
SPECIES = ["001.Bird_1", "002.Bird_2", "003.Bird_3"]
NETWORK = (
    "--backbone=mobilenet --backbone_alpha=0.25 --backbone_weights=none --train_backbone --image_size=64"
    " --head_widths=16,8 --performer_epochs=1 --target_layer=conv_pw_8_relu --attribution_steps=4"
)
EXPLAINER = "--steps=4 --parts=4"
"""


@functools.cache
def cells(name):
    """The cells with code of a notebook."""
    notebook = json.loads((ROOT / "docs" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tree(name):
    """What a notebook's code says in Python; lines with `!` are for the shell."""
    code = "\n".join("".join(cell["source"]) for cell in cells(name))
    return ast.parse(re.sub(r"^!.*$", "", code, flags=re.MULTILINE))


def imported(name):
    """What a notebook imports, by the name that it is used by."""
    found = {}
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = getattr(module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = importlib.import_module(alias.name)
    return found


def ours(call, known):
    """The object of this project that is called, or None."""
    names = ast.unparse(call.func).split(".")
    if names[0] not in known or not all(name.isidentifier() for name in names):
        return None
    found = known[names[0]]
    for name in names[1:]:
        found = getattr(found, name)
    return found if getattr(found, "__module__", "").startswith(("tf_explainer", "pipelines")) else None


@pytest.mark.parametrize("name", NAMES)
def test_the_code_fits_the_api(name):
    known = imported(name)
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    checked = 0
    for call in calls:
        if (function := ours(call, known)) is not None:
            keywords = {keyword.arg: None for keyword in call.keywords}
            inspect.signature(function).bind(*[None] * len(call.args), **keywords)
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize("name", NAMES)
def test_it_is_stored_without_outputs(name):
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells(name)] == [([], None)] * len(
        cells(name)
    )
    assert (ROOT / "docs" / f"{name}.ipynb").stat().st_size < 50_000


@pytest.mark.parametrize("name", NAMES)
def test_what_it_shows_last_is_the_readers_own(name):
    assert cells(name)[-1]["source"][-1].startswith("run.explain(MY_IMAGES or ")


def test_these_are_all():
    assert {path.stem for path in (ROOT / "docs").glob("*.ipynb")} == set(NAMES)


def run(name, folder, parameters):
    """Runs a notebook as Jupyter does; returns what its cells show, as texts and as HTML."""
    for package in ("nbclient", "ipykernel"):
        pytest.importorskip(package, reason="needs the packages of `notebook`")
    import nbformat

    spec = importlib.util.spec_from_file_location("execute", ROOT / "tools" / "execute_notebook.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.execute(ROOT / "docs" / f"{name}.ipynb", folder / "copy.ipynb", folder, parameters)
    shown = [
        output
        for cell in nbformat.read(folder / "copy.ipynb", as_version=4).cells
        for output in cell.get("outputs", ())
    ]
    assert [output["text"] for output in shown if output.get("name") == "stderr"] == []
    texts = "\n".join(output.get("text", "") for output in shown)
    return texts, [output["data"]["text/html"] for output in shown if "text/html" in output.get("data", {})]


@pytest.fixture(autouse=True)
def import_this_project(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")


@pytest.mark.slow
def test_the_tour_runs(tmp_path):
    texts, html = run("creatures", tmp_path, CREATURES)
    for said in ("relative error of fc1", "The report:", " adds "):
        assert said in texts
    assert len(html) == 5
    assert all(each.startswith("<") for each in html)
    assert len(re.findall("^epoch ", texts, re.MULTILINE)) < 10, "a line that changes is one line"


@pytest.mark.slow
@pytest.mark.long
def test_birds_run(tmp_path):
    folder = tmp_path / "CUB_200_2011"
    birds.write(folder, count=30)
    photographs = np.random.default_rng(0)
    for path in folder.rglob("*.jpg"):
        Image.fromarray(photographs.integers(0, 256, (30, 40, 3), np.uint8)).save(path)
    # All species on both sides.
    split = "".join(f"{number} {number % 2}\n" for number in range(1, 31))
    (folder / "train_test_split.txt").write_text(split)
    texts, html = run("birds", tmp_path, BIRDS)
    assert "relative error of fc1" in texts
    assert len(html) == 4
    assert "<img" in html[-1]
