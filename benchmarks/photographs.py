"""Makes folders of JPEG files for measurements."""

from __future__ import annotations

import os
import pathlib

from PIL import Image

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.registry import open_source
from tf_explainer.datasets.source import UnreadableImageError

_DRAWN = 64


def originals(directory: pathlib.Path, photographs: pathlib.Path) -> list[pathlib.Path]:
    """Returns the paths of real photographs if there are any, else of drawn pictures.

    Args:
        directory: to be created for drawn pictures.
        photographs: a folder of JPEG files that may be absent.
    """
    if photographs.is_dir():
        return sorted(photographs.glob("*.JPEG"))
    directory.mkdir()
    source = open_source(DatasetConfig(dataset="creatures", num_images=_DRAWN))
    paths: list[pathlib.Path] = []
    for _, record in source.read(list(source.references())):
        if isinstance(record, UnreadableImageError):
            raise record
        paths.append(directory / f"{len(paths):05d}.jpg")
        Image.fromarray(record.image).resize((500, 375)).save(paths[-1], quality=92)
    return paths


def folder(directory: pathlib.Path, images: list[pathlib.Path], count: int) -> str:
    """Makes a folder of `count` images by linking to fewer images, repeatedly."""
    directory.mkdir()
    for number in range(count):
        link = directory / f"{number:05d}.jpg"
        try:
            os.link(images[number % len(images)], link)
        except OSError:  # The images are on another disk.
            link.symlink_to(images[number % len(images)])
    return str(directory)
