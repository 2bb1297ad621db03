"""Reads boxes and landmarks for the images of a folder from one file: CSV or COCO's keypoint JSON.

`docs/datasets.md` describes both formats. Coordinates are pixels of the upright image, after its EXIF
orientation is applied.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from absl import logging

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.annotations import coco_keypoints, landmark_table
from tf_explainer.datasets.annotations.annotated_object import AnnotatedObject
from tf_explainer.datasets.decode import size_in_pixels
from tf_explainer.errors import UserError
from tf_explainer.images.crop import clip_to_image
from tf_explainer.images.record import UnreadableImageError

_SHOWN_MISTAKES = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotations:
    """The content of an annotation file.

    Attributes:
        landmark_names: in the order of the file.
        objects: by the image's id, one for each image.
    """

    landmark_names: tuple[str, ...] = ()
    objects: Mapping[str, AnnotatedObject] = dataclasses.field(default_factory=dict)


def identity(config: DatasetConfig) -> dict[str, Any]:
    """Returns a data set's settings, with the annotation file's SHA-256 in place of its name.

    Raises:
        UserError: the file cannot be read.
    """
    settings = dataclasses.asdict(config)
    if path := settings.pop("annotations"):
        settings["annotations"] = hashlib.sha256(_content(path)).hexdigest()
    return settings


def read_annotations(path: str, locations: Mapping[str, str], data_dir: str) -> Annotations:
    """Reads an annotation file and checks that it fits the images.

    Args:
        path: of the file.
        locations: paths of all images of the folder, by id.
        data_dir: the folder, for messages.

    Raises:
        UserError: the file has neither format, names none of the images, or has mistakes; the message names
            their places in the file.
    """
    content = _content(path)
    is_json = content.lstrip()[:1] in (b"{", b"[")
    names, objects = (coco_keypoints if is_json else landmark_table).parse(path, content)
    of_image: dict[str, list[AnnotatedObject]] = collections.defaultdict(list)
    unknown = []
    id_of = _matcher(locations)
    for each in objects:
        if image := id_of(each):
            of_image[image].append(each)
        else:
            unknown.append(each)
    if unknown:
        problem = f"{unknown[0].where}: {unknown[0].file!r} is not an image of --data_dir={data_dir}"
        if not of_image:
            raise UserError(
                f"{problem}, nor is any other name in the file: write them relative to that folder"
            )
        logging.warning("%s; %d such names are left out", problem, len(unknown))
    largest = {image: max(several, key=_area) for image, several in of_image.items()}
    if left := len(objects) - len(unknown) - len(largest):
        logging.warning(
            "%s: of images with several objects the largest is taken; %d are left out", path, left
        )
    _refuse(path, [misfit for image, each in largest.items() for misfit in _misfits(each, locations[image])])
    return Annotations(landmark_names=names, objects=largest)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"--annotations={path} cannot be read: {error.strerror}") from error


def _matcher(locations: Mapping[str, str]) -> Callable[[AnnotatedObject], str | None]:
    """Returns a function that finds an object's image: by its path, else by its file name if unambiguous."""
    by_name: dict[str, list[str]] = collections.defaultdict(list)
    for image in locations:
        by_name[posixpath.basename(image)].append(image)

    def id_of(each: AnnotatedObject) -> str | None:
        name = posixpath.normpath(each.file.replace("\\", "/"))
        if name in locations:
            return name
        named = by_name.get(name, [])
        if len(named) > 1:
            raise UserError(
                f"{each.where}: {each.file!r} may be {' or '.join(named[:2])}: write the path in the folder"
            )
        return named[0] if named else None

    return id_of


def _area(each: AnnotatedObject) -> float:
    return 0.0 if each.box is None else (each.box.xmax - each.box.xmin) * (each.box.ymax - each.box.ymin)


def _misfits(each: AnnotatedObject, location: str) -> Iterator[str]:
    """Yields what does not fit the image. An unreadable image fits: reading it reports the problem."""
    try:
        width, height = size_in_pixels(location, upright=True)
    except UnreadableImageError:
        return
    if each.size and each.size != (width, height):
        size = "x".join(map(str, each.size))
        yield f"{each.where}: {each.file} has {size} pixels there, {width}x{height} in the folder"
        return
    for name, landmark in each.landmarks.items():
        if not (0 <= landmark.x <= width and 0 <= landmark.y <= height):
            place = f"({landmark.x:g}, {landmark.y:g})"
            yield f"{each.where}: {name} of {each.file} is at {place}, outside of its {width}x{height} pixels"
    if each.box:
        try:
            clip_to_image(each.box, width, height)
        except UnreadableImageError as error:
            yield f"{each.where}: {each.file}: {error}"


def _refuse(path: str, mistakes: Sequence[str]) -> None:
    if mistakes:
        shown = "\n  ".join(mistakes[:_SHOWN_MISTAKES])
        more = f"\n  and {len(mistakes) - _SHOWN_MISTAKES} more" if len(mistakes) > _SHOWN_MISTAKES else ""
        raise UserError(f"--annotations={path} does not fit the images; correct or remove:\n  {shown}{more}")
