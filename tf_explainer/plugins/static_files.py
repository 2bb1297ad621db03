"""The files of the front end: a fixed list, each under an address of its own."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from tf_explainer.plugins.requests import Answer, Arguments, route

_WEB = pathlib.Path(__file__).parent / "web"
_TYPES = {".js": "text/javascript", ".css": "text/css"}


def static_routes() -> dict[str, Callable[..., Any]]:
    """Returns a WSGI application for every file, by its path below a plugin's own address."""
    files = sorted(path for path in _WEB.rglob("*") if path.suffix in _TYPES)
    return {f"/static/{path.relative_to(_WEB).as_posix()}": _serving(path) for path in files}


def _serving(path: pathlib.Path) -> Callable[..., Any]:
    @route
    def serve(self: None, request: Any, arguments: Arguments) -> Answer:
        del self, request, arguments
        return path.read_bytes(), _TYPES[path.suffix]

    return lambda environ, start_response: serve(None, environ, start_response)
