"""Checks stored values: event files may come from anywhere, be truncated, and hold anything."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

GZIP_MAGIC = b"\x1f\x8b\x08"
_JPEG_MAGIC = b"\xff\xd8\xff"
_LARGEST_STREAM = 1 << 30
_LARGEST_UNPACKED = 1 << 27
_CHUNK = 1 << 20


class DamagedError(ValueError):
    """A stored value is not what its tag requires; the message says in what way."""


def plain(value: np.ndarray) -> Any:
    """Parses the JSON of a string scalar: plain values, all numbers finite.

    Raises:
        DamagedError: not a string scalar, not JSON, nested too deeply, or with a number that is not finite.
    """
    try:
        content = json.loads(value.item(), parse_constant=_not_finite)
        # `1e999` is read as infinity, and JSON that can be read may be nested too deeply to be written.
        json.dumps(content, allow_nan=False)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedError(f"it is not JSON: {str(error)[:200]}") from error
    except RecursionError as error:
        raise DamagedError("its JSON is nested too deeply") from error
    return content


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def table(value: np.ndarray) -> np.ndarray:
    """Returns `[rows, columns]` numbers as little-endian float32; NaN and infinity stay.

    Raises:
        DamagedError: the value has another shape, or is not numeric.
    """
    if value.ndim != 2 or value.dtype.kind not in "fiu":
        raise DamagedError(f"{value.dtype} of shape {list(value.shape)} is not a table of numbers")
    with np.errstate(over="ignore"):
        return value.astype("<f4")


def texts(value: np.ndarray) -> list[str]:
    """Returns `[M]` strings.

    Raises:
        DamagedError: the value has another shape or type.
    """
    try:
        if value.ndim == 1:
            return [text.decode() for text in value]
    except (AttributeError, UnicodeDecodeError) as error:
        raise DamagedError("it is not a list of texts") from error
    raise DamagedError(f"an array of shape {list(value.shape)} is not a list of texts")


def gzip_stream(content: bytes) -> bytes:
    """Checks a GZIP stream to its end, in bounded memory, and returns it unchanged.

    Raises:
        DamagedError: not a GZIP stream, truncated, or unpacks to more than 1 GiB.
    """
    for _ in _chunks(content):
        pass
    return content


def unpacked(content: bytes) -> bytes:
    """Unpacks a GZIP stream.

    Raises:
        DamagedError: as for `gzip_stream`, or it unpacks to more than 128 MiB.
    """
    return b"".join(_chunks(content, _LARGEST_UNPACKED))


def _chunks(content: bytes, largest: int | None = None) -> Iterator[bytes]:
    largest = largest or _LARGEST_STREAM
    if not content.startswith(GZIP_MAGIC):
        raise DamagedError("it is not a GZIP stream")
    unpacker, rest, size = zlib.decompressobj(wbits=31), content, 0
    try:
        while rest and not unpacker.eof:
            chunk = unpacker.decompress(rest, _CHUNK)
            size += len(chunk)
            rest = unpacker.unconsumed_tail
            if size > largest:
                raise DamagedError(f"its GZIP stream unpacks to more than {largest} bytes")
            yield chunk
    except zlib.error as error:
        raise DamagedError(f"its GZIP stream is broken: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise DamagedError("its GZIP stream is truncated, or followed by other bytes")


def jpeg(content: bytes) -> bytes:
    """Checks that content begins like a JPEG file, and returns it unchanged.

    Raises:
        DamagedError: it does not.
    """
    if not content.startswith(_JPEG_MAGIC):
        raise DamagedError("it is not a JPEG picture")
    return content
