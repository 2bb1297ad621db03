"""Text files of lines, written without holding the lines in memory.

```
lines -> pieces, one file a bundle and shard -> one file a shard
```
`beam.io.WriteToText` first groups the lines of a file, and some runners keep the groups in memory. Here only
the names of the pieces are grouped.
"""

from __future__ import annotations

import glob
import itertools
import posixpath
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.feature_set import atomic_files

SUFFIX = ".jsonl"


def shard_paths(output: str, shards: int) -> list[str]:
    """Returns the files that lines go into: `output` itself, or `explained-00000-of-00004.jsonl`, ..."""
    if shards == 1:
        return [output]
    stem = output.removesuffix(SUFFIX)
    return [f"{stem}-{shard:05d}-of-{shards:05d}{SUFFIX}" for shard in range(shards)]


def remove_pieces(output: str) -> None:
    """Removes the pieces that a killed job left behind; no other job may be writing to `output`."""
    directory, prefix = _pieces(output)
    atomic_files.remove(directory, f"{glob.escape(prefix)}*")


class WriteLines(beam.PTransform):
    """Writes lines of text in no particular order, evenly divided among the files.

    Each file appears under its final name once it is complete; files are written even if there are no lines.

    Args:
        output: path of the file, in any file system that Beam knows.
        shards: number of files (`shard_paths`).
    """

    def __init__(self, output: str, shards: int = 1) -> None:
        super().__init__()
        self._output, self._paths = output, shard_paths(output, shards)

    def expand(self, pcoll: Any) -> Any:
        """Builds the graph."""
        # Files without lines are written, too.
        every = pcoll.pipeline | "Files" >> beam.Create([(path, "") for path in self._paths])
        pieces = pcoll | "WritePieces" >> beam.ParDo(_WritePieces(self._output, self._paths))
        return (
            (pieces, every)
            | beam.Flatten()
            | "PiecesOfFile" >> beam.GroupByKey()
            | "Join" >> beam.MapTuple(_join)
            # If the runner repeats a join, its pieces must still exist: they are removed behind this barrier.
            | "Joined" >> beam.Reshuffle()
            | "RemovePieces" >> beam.FlatMap(_remove)
        )


class _WritePieces(beam.DoFn):
    def __init__(self, output: str, paths: list[str]) -> None:
        super().__init__()
        self._output, self._paths = output, paths

    def setup(self) -> None:
        # Not reset for each bundle: small bundles would all begin with the first file.
        self._turns = itertools.cycle(self._paths)

    def start_bundle(self) -> None:
        self._files: dict[str, tuple[str, Any]] = {}

    def process(self, element: str) -> None:
        path = next(self._turns)
        if path not in self._files:
            piece = posixpath.join(*_pieces(self._output)) + uuid.uuid4().hex
            # Otherwise, Beam would compress a file whose name ends in .gz.
            file = FileSystems.create(piece, compression_type=CompressionTypes.UNCOMPRESSED)
            self._files[path] = piece, file
        self._files[path][1].write(f"{element}\n".encode())

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        for path, (piece, file) in self._files.items():
            file.close()
            yield WindowedValue((path, piece), window.max_timestamp(), [window])


def _pieces(output: str) -> tuple[str, str]:
    """Returns the directory of the pieces, and what their names begin with."""
    directory, name = posixpath.split(output)
    return directory, f".{name}.piece-"


def _join(path: str, pieces: Iterable[str]) -> list[str]:
    written = [piece for piece in pieces if piece]
    atomic_files.publish_joined(written, path)
    return written


def _remove(pieces: list[str]) -> Iterator[None]:
    for directory, name in map(posixpath.split, pieces):
        atomic_files.remove(directory, glob.escape(name))
    yield from ()
