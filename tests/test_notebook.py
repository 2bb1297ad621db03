"""docs/creatures.ipynb fits the API and runs from its first to its last cell."""

import ast
import importlib
import inspect
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "creatures.ipynb"
NOTEBOOK = json.loads(FILE.read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
SOURCES = ["".join(cell["source"]) for cell in CODE]
# Small enough for a test.
PARAMETERS = "IMAGES, PERFORMER_EPOCHS, STEPS = 90, 1, 6\nFOLDER = 'run'\nMY_IMAGES = []\n"
DISPLAYED = "what a notebook shows: "


def imported():
    """What the notebook imports, by the name that it is used by."""
    found = {}
    for node in ast.walk(ast.parse("\n".join(SOURCES))):
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


def displayed(cell):
    """Prints what a notebook would show of a cell: the value of an expression at its end."""
    tree = ast.parse(cell)
    if isinstance(tree.body[-1], ast.Expr) and not ast.unparse(tree.body[-1]).startswith("print("):
        shown = ast.unparse(tree.body.pop())
        show = f"getattr({shown}, '_repr_html_', getattr({shown}, '_repr_png_', None))"
        return f"{ast.unparse(tree)}\nprint({DISPLAYED!r}, len({show}()))"
    return cell


def ours(call, known):
    """The object of this project that is called, or None."""
    names = ast.unparse(call.func).split(".")
    if names[0] not in known or not all(name.isidentifier() for name in names):
        return None
    found = known[names[0]]
    for name in names[1:]:
        found = getattr(found, name)
    return found if getattr(found, "__module__", "").startswith(("tf_explainer", "pipelines")) else None


def test_the_code_fits_the_api():
    known = imported()
    calls = [node for node in ast.walk(ast.parse("\n".join(SOURCES))) if isinstance(node, ast.Call)]
    checked = 0
    for call in calls:
        if (function := ours(call, known)) is not None:
            keywords = {keyword.arg: None for keyword in call.keywords}
            inspect.signature(function).bind(*[None] * len(call.args), **keywords)
            checked += 1
    assert checked >= 4


def test_it_is_stored_without_outputs():
    assert [(cell["outputs"], cell["execution_count"]) for cell in CODE] == [([], None)] * len(CODE)
    assert FILE.stat().st_size < 50_000


@pytest.mark.slow
def test_it_runs(tmp_path):
    parameters = next(n for n, cell in enumerate(CODE) if "parameters" in cell["metadata"].get("tags", []))
    cells = [*SOURCES[:parameters], PARAMETERS, *SOURCES[parameters + 1 :]]
    code = "\n".join(map(displayed, cells))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    for said in ("relative error of fc1", "The report:", " adds "):
        assert said in result.stdout
    assert result.stdout.count(DISPLAYED) >= 5


def test_what_it_shows_last_is_the_readers_own():
    assert SOURCES[-1].splitlines()[-1].startswith("run.explain(MY_IMAGES")
