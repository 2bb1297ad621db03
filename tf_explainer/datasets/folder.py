"""A folder of images: one sub-folder per class, or none.

    DATA_DIR/cat/a.jpg, DATA_DIR/dog/more/b.png     two classes, `cat` and `dog`
    DATA_DIR/a.jpg, DATA_DIR/b.png                  one class, named after the folder

A sub-folder that is named as the negative class holds images of no category. Hidden files are
ignored. Sub-folders may be links to folders elsewhere; links further down are not followed, so that
no loop is walked.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator

from absl import logging

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories, decode
from tf_explainer.datasets.source import ReadResult
from tf_explainer.errors import UserError
from tf_explainer.images.folds import hashed_shard
from tf_explainer.images.record import ImageReference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder:
    """Images in a folder; see `source.ImageSource`.

    Attributes:
        data_dir: the folder.
        classes: names by label.
        folders: where each class lies, relative to `data_dir`.
        negative_class: last of the classes, or None.
        landmark_names: none.
    """

    data_dir: str
    classes: tuple[str, ...]
    folders: tuple[str, ...]
    negative_class: str | None
    landmark_names: tuple[str, ...] = ()

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, class by class, in the order of their paths."""
        for label, folder in enumerate(self.folders):
            skipped: list[str] = []
            for path in _images(os.path.join(self.data_dir, folder), skipped):
                name = os.path.relpath(path, self.data_dir).replace(os.sep, "/")
                yield ImageReference(id=name, label=label, location=path)
            if skipped:
                logging.warning(
                    "Skipped %d files that are no images by their name, such as %r", len(skipped), skipped[0]
                )

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard of an image: a hash of its id."""
        return hashed_shard(reference.id, num_shards)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields records or reasons in the order of the references."""
        return decode.read_files(references)


def open_folder(config: DatasetConfig) -> Folder:
    """Finds the classes in `config.data_dir`.

    Raises:
        UserError: the folder is missing or holds no image, or a category is not there.
    """
    data_dir = config.data_dir
    if not data_dir:
        raise UserError("--data_dir is not set: name the folder that holds the images")
    if not os.path.isdir(data_dir):
        raise UserError(f"--data_dir={data_dir} is no folder")
    folders = _class_folders(data_dir)
    classes, negative_class = categories.arranged(config, list(folders), f"--data_dir={data_dir}")
    return Folder(
        data_dir=data_dir,
        classes=classes,
        folders=tuple(folders[name] for name in classes),
        negative_class=negative_class,
    )


def _class_folders(data_dir: str) -> dict[str, str]:
    """Returns the folder of each class, relative to `data_dir`; classes without images are left out."""
    subfolders = [name for name in _subfolders(data_dir) if any(_images(os.path.join(data_dir, name)))]
    loose = [name for name in os.listdir(data_dir) if _is_image(os.path.join(data_dir, name))]
    if subfolders and loose:
        logging.warning("Skipped %d images that lie in no sub-folder, such as %s", len(loose), loose[0])
    if subfolders:
        return {name: name for name in subfolders}
    if loose:
        return {os.path.basename(os.path.realpath(data_dir)) or "images": ""}
    raise UserError(f"--data_dir={data_dir} holds no image ({', '.join(decode.SUFFIXES)})")


def _subfolders(data_dir: str) -> list[str]:
    """Returns the visible sub-folders and links to folders, except links that lead back up."""
    here = os.path.realpath(data_dir)
    names = []
    for name in sorted(os.listdir(data_dir)):
        path = os.path.join(data_dir, name)
        if name.startswith(".") or not os.path.isdir(path):
            continue
        target = os.path.realpath(path)
        if os.path.commonpath([here, target]) == target:
            logging.warning("Skipped %s: it leads back to %s", path, target)
        else:
            names.append(name)
    return names


def _images(folder: str, skipped: list[str] | None = None) -> Iterator[str]:
    """Yields the paths of all images below a folder; what else is there is added to `skipped`."""
    for parent, subfolders, files in os.walk(folder, onerror=_refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)
            if _is_image(path):
                yield path
            elif skipped is not None and not name.startswith("."):
                skipped.append(path)


def _is_image(path: str) -> bool:
    name = os.path.basename(path)
    readable = name.isprintable()  # Bytes that are no text cannot be an id.
    visible = not name.startswith(".")
    # A link that leads nowhere is an image that cannot be read, not one that is not there.
    is_file = os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))
    return readable and visible and name.lower().endswith(decode.SUFFIXES) and is_file


def _refuse(error: OSError) -> None:
    raise UserError(f"--data_dir: {error.filename} cannot be read: {error.strerror}") from error
