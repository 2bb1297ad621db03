"""Stored values, checked: event files come from anywhere, may be cut short, and may hold anything."""

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
    """A stored value that is not what its tag promises; the message says in what way."""


def plain(value: np.ndarray) -> Any:
    """Returns what a string scalar holds as JSON: plain values, all numbers finite.

    Raises:
        DamagedError: it is no string scalar, no JSON, nested too deeply, or has a number that is not finite.
    """
    try:
        content = json.loads(value.item(), parse_constant=_not_finite)
        # `1e999` is read as infinity, and what can be read can still be too deep to write.
        json.dumps(content, allow_nan=False)
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedError(f"no JSON text: {str(error)[:200]}") from error
    except RecursionError as error:
        raise DamagedError("JSON that is nested too deeply") from error
    return content


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def table(value: np.ndarray) -> np.ndarray:
    """Returns `[rows, columns]` numbers as little-endian float32; NaN and infinity stay.

    Raises:
        DamagedError: it has another shape, or no numbers.
    """
    if value.ndim != 2 or value.dtype.kind not in "fiu":
        raise DamagedError(f"no table of numbers, but {value.dtype} of shape {list(value.shape)}")
    with np.errstate(over="ignore"):
        return value.astype("<f4")


def texts(value: np.ndarray) -> list[str]:
    """Returns `[M]` strings.

    Raises:
        DamagedError: it has another shape, or other values.
    """
    try:
        if value.ndim == 1:
            return [text.decode() for text in value]
    except (AttributeError, UnicodeDecodeError) as error:
        raise DamagedError("no list of texts") from error
    raise DamagedError(f"no list of texts, but of shape {list(value.shape)}")


def gzip_stream(content: bytes) -> bytes:
    """Returns a GZIP stream as it is, once it was read to its end; memory is bounded, whatever it unpacks to.

    Raises:
        DamagedError: it is none, is cut short, or unpacks to more than 1 GiB.
    """
    for _ in _chunks(content):
        pass
    return content


def unpacked(content: bytes) -> bytes:
    """Returns what a GZIP stream unpacks to.

    Raises:
        DamagedError: as `gzip_stream`, or it unpacks to more than 128 MiB.
    """
    whole = bytearray()
    for chunk in _chunks(content, _LARGEST_UNPACKED):
        whole += chunk
    return bytes(whole)


def _chunks(content: bytes, largest: int | None = None) -> Iterator[bytes]:
    largest = largest or _LARGEST_STREAM
    if not content.startswith(GZIP_MAGIC):
        raise DamagedError("no GZIP stream")
    unpacker, rest, size = zlib.decompressobj(wbits=31), content, 0
    try:
        while rest and not unpacker.eof:
            chunk = unpacker.decompress(rest, _CHUNK)
            size += len(chunk)
            rest = unpacker.unconsumed_tail
            if size > largest:
                raise DamagedError(f"a GZIP stream of more than {largest} bytes")
            yield chunk
    except zlib.error as error:
        raise DamagedError(f"a broken GZIP stream: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise DamagedError("a GZIP stream that is cut short, or followed by something else")


def jpeg(content: bytes) -> bytes:
    """Returns a JPEG file as it is.

    Raises:
        DamagedError: it does not begin like one.
    """
    if not content.startswith(_JPEG_MAGIC):
        raise DamagedError("no JPEG picture")
    return content
