"""Writes files on any file system that Beam supports; each appears under its final name once complete."""

from __future__ import annotations

import contextlib
import glob
import posixpath
import shutil
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

_UNFINISHED = ".unfinished-"


def publish_text(path: str, text: str) -> None:
    """Writes a text file completely or not at all."""
    publish_texts(path, [text])


def publish_texts(path: str, texts: Iterable[str]) -> None:
    """Writes the pieces of a text file one after the other, completely or not at all."""
    with _replacing(path) as target:
        for text in texts:
            target.write(text.encode())


def publish_file(local: str, path: str) -> None:
    """Copies a local file to its final path, completely or not at all."""
    with open(local, "rb") as source, _replacing(path) as target:
        shutil.copyfileobj(source, target, length=1 << 20)


def publish_joined(paths: Iterable[str], path: str) -> None:
    """Joins files into one, or writes nothing."""
    with _replacing(path) as target:
        for each in paths:
            with _open(each) as source:
                shutil.copyfileobj(source, target, length=1 << 20)


def fetch_file(path: str, local: str) -> None:
    """Copies a file of any file system to a local path."""
    with _open(path) as source, open(local, "wb") as target:
        shutil.copyfileobj(source, target, length=1 << 20)


def read_text(path: str) -> str:
    """Returns a text file's content."""
    with _open(path) as file:
        return file.read().decode()


def sizes(directory: str, pattern: str) -> dict[str, int]:
    """Returns the sizes in bytes of the files in a directory that match a pattern, by name."""
    # Beam finds nothing by a pattern without a directory.
    (match,) = FileSystems.match([posixpath.join(glob.escape(directory) or ".", pattern)])
    return {posixpath.basename(found.path): found.size_in_bytes for found in match.metadata_list}


def remove(directory: str, pattern: str) -> None:
    """Removes the files in a directory that match a pattern."""
    if names := sizes(directory, pattern):
        _delete([posixpath.join(directory, name) for name in names])


def remove_unfinished(directory: str) -> None:
    """Removes files that killed writers left behind; no other writer may be running."""
    remove(directory, f"{_UNFINISHED}*")


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[Any]:
    directory, name = posixpath.split(path)
    temporary = posixpath.join(directory, f"{_UNFINISHED}{uuid.uuid4().hex}-{name}")
    try:
        # By default, Beam would compress files whose names end in .gz.
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as target:
            yield target
        # Replaces an older file, on every file system but HDFS.
        FileSystems.rename([temporary], [path])
    finally:
        if FileSystems.exists(temporary):
            _delete([temporary])


def _delete(paths: list[str]) -> None:
    # Beam takes paths for patterns.
    FileSystems.delete([glob.escape(path) for path in paths])


def _open(path: str) -> Any:
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
