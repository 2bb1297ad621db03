"""The front end's files: what a tab asks for first names all that it will need."""

import pathlib
import re

import pytest

import tf_explainer.plugins
from tf_explainer.plugins import front_end

WEB = pathlib.Path(tf_explainer.plugins.__file__).parent / "web"


def served_imports(name):
    text = front_end.content(name).decode()
    first = text.splitlines()[0]
    return [(WEB / name).parent / each for each in re.findall(r'import "(\.[^"]+)";', first)], text


@pytest.mark.parametrize("tab", ["parts/parts.js", "images/images.js"])
def test_a_tab_names_every_module_that_it_needs(tab):
    named, text = served_imports(tab)
    assert text.endswith((WEB / tab).read_text())
    needed, waiting = set(), [WEB / tab]
    while waiting:
        path = waiting.pop()
        for each in re.findall(r'from\s+"([^"]+)"', path.read_text()):
            module = (path.parent / each).resolve()
            if module not in needed:
                needed.add(module)
                waiting.append(module)
    assert {each.resolve() for each in named} == needed
    assert len(named) == len(needed) > 20


@pytest.mark.parametrize("name", ["shared/host.js", "vendor/preact-htm.js", "shared/style.css"])
def test_other_files_are_served_as_they_are(name):
    assert front_end.content(name) == (WEB / name).read_bytes()


def test_every_script_and_style_has_an_address():
    files = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.suffix in (".js", ".css")}
    assert {f"/static/{name}" for name in files} == set(front_end.static_routes())
