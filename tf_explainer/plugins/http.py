"""HTTP for all plugins: read-only, with checked requests and caching by the browser."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

import werkzeug
from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from werkzeug import wrappers

from tf_explainer.plugins.stored_values import GZIP_MAGIC, DamagedError

Answer = tuple[bytes, str]
"""Content and content type."""

BYTES = "application/octet-stream"
_LONGEST_ARGUMENT = 1000


class BadRequestError(Exception):
    """The request is invalid; the message says why, and what to do."""


class NotStoredError(Exception):
    """The requested data is not in the event files; the message says what to run."""


class Arguments:
    """Reads and checks the arguments of a request."""

    def __init__(self, request: wrappers.Request) -> None:
        self._values = request.args

    def text(self, name: str) -> str:
        """Returns an argument.

        Raises:
            BadRequestError: it is missing or longer than 1000 characters.
        """
        value = self._values.get(name)
        if value is None or len(value) > _LONGEST_ARGUMENT:
            raise BadRequestError(f"the argument {name} is missing or too long")
        return value

    def number(self, name: str) -> int:
        """Returns an argument as a whole number from 0 to 2^63 - 1.

        Raises:
            BadRequestError: it is missing or not such a number.
        """
        value = self.text(name)
        if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) < 2**63):
            raise BadRequestError(f"the argument {name} is not a whole number")
        return int(value)


def route(serve: Callable[[Any, wrappers.Request, Arguments], Answer]) -> Callable[..., Any]:
    """Turns a method that answers a request with its arguments into a WSGI application.

    Answers have an ETag, so that browsers can cache them; GZIP streams are sent with that content encoding.
    """

    @functools.wraps(serve)
    def application(self: Any, environ: Any, start_response: Any) -> Any:
        request = wrappers.Request(environ)
        return _response(self, serve, request)(environ, start_response)

    return application


def _response(self: Any, serve: Callable[..., Answer], request: wrappers.Request) -> Any:
    if request.method not in ("GET", "HEAD"):
        return _refusal(request, 405, "this address is read-only", [("Allow", "GET, HEAD")])
    try:
        content, content_type = serve(self, request, Arguments(request))
    except BadRequestError as error:
        return _refusal(request, 400, str(error))
    except (NotStoredError, errors.NotFoundError, KeyError) as error:
        return _refusal(request, 404, str(error.args[0]) if error.args else "not stored")
    except DamagedError as error:
        return _refusal(request, 404, f"the stored data is damaged: {error}; write it again")
    except errors.PublicError as error:
        return _refusal(request, error.http_code, str(error))
    tag = hashlib.blake2b(content, digest_size=12).hexdigest()
    if request.if_none_match.contains_weak(tag):
        return werkzeug.Response(status=304, headers=[("ETag", f'W/"{tag}"')])
    return http_util.Respond(
        request,
        content,
        content_type,
        content_encoding="gzip" if content[:3] == GZIP_MAGIC else None,
        headers=[("ETag", f'W/"{tag}"')],
    )


def _refusal(
    request: wrappers.Request, code: int, message: str, headers: list[tuple[str, str]] | None = None
) -> Any:
    return http_util.Respond(request, message, "text/plain", code=code, headers=headers)


def compressed(content: bytes) -> bytes:
    """Compresses content as a GZIP stream, faster than `parts.quantised_maps.packed`."""
    return gzip.compress(content, compresslevel=5, mtime=0)


def as_json(content: Any) -> Answer:
    """Returns plain values, without NaN, as JSON."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode(), "application/json"


def where(request: wrappers.Request) -> tuple[Any, str]:
    """Returns a request's context and experiment, for TensorBoard's data provider."""
    return plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
