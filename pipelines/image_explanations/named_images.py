"""Finds and reads the images that `--image` names, on this machine or in a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from apache_beam.io.filesystems import FileSystems

from tf_explainer.datasets import decode, file_pattern, image_files
from tf_explainer.datasets.source import ReadResult
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageReference


def is_remote(path: str) -> bool:
    """Returns whether a path is in a bucket, not on this machine."""
    return FileSystems.get_scheme(path) is not None


def paths(named: Sequence[str]) -> list[str]:
    """Returns the paths of all images, each once, in the order of the names.

    Args:
        named: files, folders (including their sub-folders) or patterns.

    Raises:
        UserError: a name matches no image.
    """
    return list(dict.fromkeys(path for name in named for path in _matching(name)))


def _matching(name: str) -> list[str]:
    if not is_remote(name):
        return image_files.matching(name)
    found = file_pattern.image_paths(name)
    if not found:
        raise UserError(f"--image={name} finds no image ({', '.join(decode.SUFFIXES)})")
    return found


def read(image_paths: Iterable[str]) -> Iterator[ReadResult]:
    """Yields each path's reference with its record or why it cannot be read."""
    for path in image_paths:
        reference = ImageReference(id=path, label=0, location=path)
        yield from (file_pattern.read if is_remote(path) else decode.read_files)([reference])
