"""Serves the files of the front end, for both tabs."""

from __future__ import annotations

import functools
import pathlib
import posixpath
import re
from collections.abc import Callable
from typing import Any

from tf_explainer.plugins.http import Answer, Arguments, route

_WEB = pathlib.Path(__file__).parent / "web"
_TYPES = {".js": "text/javascript", ".css": "text/css"}
_FROM = re.compile(r'\bfrom "(\.[^"]+)";')


def static_routes() -> dict[str, Callable[..., Any]]:
    """Returns a WSGI application for every file, by its path below a plugin's address."""
    files = sorted(path.relative_to(_WEB).as_posix() for path in _WEB.rglob("*") if path.suffix in _TYPES)
    return {f"/static/{name}": _serving(name) for name in files}


def content(name: str) -> bytes:
    """Returns a file's content; a tab's main module starts with imports of all direct and indirect imports.

    The browser then requests all modules at once, instead of discovering them one after another.

    Args:
        name: path relative to `web/`.
    """
    own = (_WEB / name).read_bytes()
    if not re.search(rb"^export function render\b", own, re.MULTILINE):
        return own
    here = posixpath.dirname(name)
    needed = (f"./{posixpath.relpath(each, here)}" for each in sorted(_imports_below(name)))
    return "".join(f'import "{each}";' for each in needed).encode() + own


def _imports_below(name: str) -> set[str]:
    found: set[str] = set()
    waiting = {name}
    while waiting:
        new = {each for one in waiting for each in _imports(one)} - found
        found, waiting = found | new, new
    return found - {name}


def _imports(name: str) -> set[str]:
    text = (_WEB / name).read_text(encoding="utf-8")
    folder = posixpath.dirname(name)
    return {posixpath.normpath(posixpath.join(folder, each)) for each in _FROM.findall(text)}


def _serving(name: str) -> Callable[..., Any]:
    @route
    def serve(self: None, request: Any, arguments: Arguments) -> Answer:
        del self, request, arguments
        return content(name), _TYPES[posixpath.splitext(name)[1]]

    return functools.partial(serve, None)
