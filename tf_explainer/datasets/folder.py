"""A folder of images: one sub-folder per class, or none.

    DATA_DIR/cat/a.jpg, DATA_DIR/dog/more/b.png     two classes, `cat` and `dog`
    DATA_DIR/a.jpg, DATA_DIR/b.png                  one class, named after the folder

Classes are numbered in the order of their names, as `keras.utils.image_dataset_from_directory` does. A
sub-folder with the name of the negative class holds images of no category. `image_files` defines which files
are images. Sub-folders may be links to folders elsewhere. Boxes and landmarks may come from a file (see
`annotations/`).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator

from absl import logging

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories, decode, image_files
from tf_explainer.datasets.annotations.annotation_file import Annotations, read_annotations
from tf_explainer.datasets.source import HashedShards, ReadResult
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageReference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(HashedShards):
    """Images in a folder; see `source.ImageSource`.

    Attributes:
        data_dir: the folder.
        classes: names by label, sorted, as Keras numbers folders.
        all_classes: names of all sub-folders, even those without images; without sub-folders, the one class.
        folders: where each class lies, relative to `data_dir`.
        negative_class: one of the classes, or None.
        annotations: boxes and landmarks.
    """

    data_dir: str
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    folders: tuple[str, ...]
    negative_class: str | None
    annotations: Annotations = dataclasses.field(default_factory=Annotations)

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of all landmarks that an image may have, in a fixed order."""
        return self.annotations.landmark_names

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, class by class, in the order of their paths."""
        for label, folder in enumerate(self.folders):
            skipped: list[str] = []
            for path in image_files.find_images(os.path.join(self.data_dir, folder), skipped):
                name = _id(path, self.data_dir)
                annotated = self.annotations.objects.get(name)
                yield ImageReference(
                    id=name,
                    label=label,
                    location=path,
                    box=annotated.box if annotated else None,
                    landmarks=annotated.landmarks if annotated else {},
                )
            image_files.warn_of_skipped(skipped)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each record, or why it cannot be read, in the order of the references."""
        return decode.read_files(references)


def open_folder(config: DatasetConfig) -> Folder:
    """Finds the classes in `config.data_dir`.

    Raises:
        UserError: the folder is missing or holds no image, or a category is missing.
    """
    data_dir = config.data_dir
    if not data_dir:
        raise UserError("--data_dir is not set: name the folder that holds the images")
    if not os.path.isdir(data_dir):
        raise UserError(f"--data_dir={data_dir} is not a folder")
    names = _subfolders(data_dir)
    folders = _class_folders(data_dir, names)
    classes, negative_class = categories.arranged(config, list(folders), f"--data_dir={data_dir}")
    annotations = Annotations()
    if config.annotations:
        locations = {
            _id(path, data_dir): path
            for folder in folders.values()
            for path in image_files.find_images(os.path.join(data_dir, folder))
        }
        annotations = read_annotations(config.annotations, locations, data_dir)
        positive = tuple(os.path.join(folders[name], "") for name in classes if name != negative_class)
        bare = [name for name in locations if name.startswith(positive) and name not in annotations.objects]
        if bare:
            logging.warning(
                "%d images are not in %s, such as %s: they are used uncropped, without landmarks",
                *(len(bare), config.annotations, bare[0]),
            )
    return Folder(
        data_dir=data_dir,
        classes=classes,
        all_classes=tuple(names) if set(folders) <= set(names) else tuple(folders),
        folders=tuple(folders[name] for name in classes),
        negative_class=negative_class,
        annotations=annotations,
    )


def _id(path: str, data_dir: str) -> str:
    return os.path.relpath(path, data_dir).replace(os.sep, "/")


def _class_folders(data_dir: str, names: list[str]) -> dict[str, str]:
    """Returns the folder of each class, relative to `data_dir`; classes without images are left out."""
    filled = [name for name in names if any(image_files.find_images(os.path.join(data_dir, name)))]
    files = ((name, os.path.join(data_dir, name)) for name in os.listdir(data_dir))
    loose = [name for name, path in files if image_files.is_image_name(name) and image_files.is_file(path)]
    if filled and loose:
        logging.warning("Skipped %d images that lie in no sub-folder, such as %s", len(loose), loose[0])
    if filled:
        return {name: name for name in filled}
    if loose:
        return {os.path.basename(os.path.realpath(data_dir)) or "images": ""}
    raise UserError(f"--data_dir={data_dir} holds no image ({', '.join(decode.SUFFIXES)})")


def _subfolders(data_dir: str) -> list[str]:
    """Returns the visible sub-folders and links to folders, except links that lead back up."""
    here = os.path.realpath(data_dir)
    names = []
    for name in sorted(os.listdir(data_dir)):
        path = os.path.join(data_dir, name)
        if not (image_files.is_visible(name) and name.isprintable() and os.path.isdir(path)):
            continue
        target = os.path.realpath(path)
        if os.path.commonpath([here, target]) == target:
            logging.warning("Skipped %s: it leads back to %s", path, target)
        else:
            names.append(name)
    return names
