"""Images that a person names: files, folders and patterns."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from absl import logging

from tf_explainer.datasets.decode import SUFFIXES, decode
from tf_explainer.errors import UserError
from tf_explainer.images.record import UnreadableImageError


def read_images(named: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields images, `[H, W, 3]` uint8 RGB, with their paths; what cannot be read is logged and left out.

    Args:
        named: files, folders (with all in them) or patterns, as `--image` takes them.

    Raises:
        UserError: a name stands for nothing, or no file can be read.
    """
    found = [path for each in named for path in _matching(each)]
    readable = 0
    for path in found:
        try:
            image = decode(path.read_bytes())
        except UnreadableImageError as error:
            logging.warning("%s is left out: %s", path, error)
            continue
        readable += 1
        yield str(path), image
    if not readable:
        raise UserError(f"--image={','.join(named)}: none of the {len(found)} files can be read")


def _matching(name: str) -> list[pathlib.Path]:
    path = pathlib.Path(name)
    if path.is_file():
        return [path]
    candidates = path.rglob("*") if path.is_dir() else path.parent.glob(path.name)
    found = sorted(each for each in candidates if each.is_file() and each.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"--image={name} is no image, no folder with images, and matches none")
    return found
