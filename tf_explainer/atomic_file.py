"""Writes files atomically: they appear under their final name only when they are complete."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a temporary path beside `path`, and renames it to `path` if the block succeeds.

    The temporary name keeps the suffix, by which Keras chooses a format; its parents are created. Whatever
    happens, `path` is either the old file or the complete new one.

    Args:
        path: the final, local path.

    Yields:
        The path to write to.
    """
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{final.stem}-", suffix=final.suffix, dir=final.parent)
    os.close(handle)
    os.chmod(temporary, 0o666 & ~_umask())
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, final)
    finally:
        pathlib.Path(temporary).unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_directory(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a temporary directory beside `path`, and renames it to `path` if the block succeeds.

    Args:
        path: the final, local path; an existing directory is replaced, with all its files.

    Yields:
        The directory to write to.
    """
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{final.name}-", dir=final.parent) as temporary:
        new, old = pathlib.Path(temporary, "new"), pathlib.Path(temporary, "old")
        new.mkdir()
        yield str(new)
        if final.exists():
            os.replace(final, old)
        os.replace(new, final)


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file atomically."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text, encoding="utf-8")
