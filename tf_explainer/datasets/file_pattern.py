"""Images that match a pattern, on any file system that Beam supports.

    gs://BUCKET/photos/*.jpg       one class, named after the folder that holds them
    gs://BUCKET/photos/*/*.jpg     one class per folder
    gs://BUCKET/photos             every image below, as in a local folder (`folder`)

`*` matches anything but a slash, `**` also matches slashes. Classes are the first folders below the part
without wildcards. `references` lists the files, so a worker of the pipeline does that.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Iterator

from absl import logging
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories
from tf_explainer.datasets.decode import SUFFIXES, decode
from tf_explainer.datasets.image_files import is_image_name
from tf_explainer.datasets.source import HashedShards, ReadResult
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError

_WILDCARD = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilePattern(HashedShards):
    """Images that match a pattern; see `source.ImageSource`.

    Attributes:
        pattern: what the paths match.
        root: the folder before the first wildcard; ids are relative to it.
        classes: names by label, sorted, as Keras numbers folders.
        all_classes: names of all folders that hold images.
        one_class: whether all images belong to the first class, because they lie directly in `root`.
        negative_class: one of the classes, or None.
        landmark_names: none.
    """

    pattern: str
    root: str
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    one_class: bool
    negative_class: str | None
    landmark_names: tuple[str, ...] = ()

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, in the order of the paths.

        Raises:
            UserError: the files cannot be listed.
        """
        labels = {name: label for label, name in enumerate(self.classes)}
        for name in _names(self.pattern, self.root):
            label = 0 if self.one_class else labels.get(_class_of(name))
            if label is not None:
                yield ImageReference(id=name, label=label, location=posixpath.join(self.root, name))

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each record, or why it cannot be read, in the order of the references.

        If an existing file cannot be read, the file system's error is raised: another attempt may succeed.
        """
        return read(references)


def read(references: Iterable[ImageReference]) -> Iterator[ReadResult]:
    """Reads references whose locations are paths, as `FilePattern.read` does."""
    for reference in references:
        try:
            yield reference, ImageRecord(reference=reference, image=decode(_content(reference.location)))
        except UnreadableImageError as error:
            yield reference, error


def image_paths(name: str) -> list[str]:
    """Returns the sorted paths of the images that a file, a folder or a pattern names.

    Raises:
        UserError: the files cannot be listed.
    """
    if not _WILDCARD.search(name) and is_image_name(posixpath.basename(name)):
        return [name]
    pattern, root = _pattern_and_root(name)
    return [posixpath.join(root, each) for each in _names(pattern, root)]


def open_file_pattern(config: DatasetConfig) -> FilePattern:
    """Finds the classes; lists the files only if the classes are folders.

    Raises:
        UserError: the pattern matches no image, a category is missing, or the files cannot be listed.
    """
    pattern, root = _pattern_and_root(config.data_dir or "")
    where = f"--data_dir={config.data_dir}"
    folders: list[str] = []
    if "/" in pattern[len(root) + 1 :] or "**" in pattern:
        names = _names(pattern, root)
        if not names:
            raise UserError(f"{where} finds no image ({', '.join(SUFFIXES)})")
        folders = sorted({_class_of(name) for name in names} - {""})
    offered = folders or [posixpath.basename(root)]
    classes, negative_class = categories.arranged(config, offered, where)
    return FilePattern(
        pattern=pattern,
        root=root,
        classes=classes,
        all_classes=tuple(offered),
        one_class=not folders,
        negative_class=negative_class,
    )


def _pattern_and_root(data_dir: str) -> tuple[str, str]:
    wildcard = _WILDCARD.search(data_dir)
    if wildcard is None:
        root = data_dir.rstrip("/")
        return f"{root}/**", root
    return data_dir, posixpath.dirname(data_dir[: wildcard.start()]) or "."


def _names(pattern: str, root: str) -> list[str]:
    """Returns the sorted paths of all images, relative to the root."""
    try:
        (match,) = FileSystems.match([pattern])
    except Exception as error:  # Cloud clients raise many types.
        raise UserError(f"{pattern} cannot be listed: {error}") from error
    names = sorted(found.path.removeprefix(f"{root}/") for found in match.metadata_list)
    images = [name for name in names if is_image_name(name)]
    if len(images) < len(names):
        logging.warning("Skipped %d files that are not named like images", len(names) - len(images))
    return images


def _class_of(name: str) -> str:
    """Returns the first folder of a relative path; empty if there is none."""
    return name.rpartition("/")[0].split("/")[0]


def _content(path: str) -> bytes:
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return file.read()
    except Exception as error:  # Cloud clients raise many types.
        if FileSystems.exists(path):
            raise
        raise UnreadableImageError(f"{path} no longer exists", "no_file") from error
