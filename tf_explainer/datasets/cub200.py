"""Reads the text tables of Caltech-UCSD Birds 200-2011 as references.

    FOLDER/images.txt                "id path"
    FOLDER/classes.txt               "id name", 200 species
    FOLDER/image_class_labels.txt    "image class"
    FOLDER/train_test_split.txt      "image 1", where it is a training image, or "image 0"
    FOLDER/bounding_boxes.txt        "image x y width height"
    FOLDER/parts/parts.txt           "id name", 15 parts
    FOLDER/parts/part_locs.txt       "image part x y visible"
    FOLDER/images/<path>             one bird per image

C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie, *The Caltech-UCSD Birds-200-2011 Dataset*, 2011. The
tables do not say where a pixel's centre is; their numbers are taken as continuous pixels, so positions are
uncertain by half a pixel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, ImageReference, Landmark

PARTS = (
    *("back", "beak", "belly", "breast", "crown"),
    *("forehead", "left_eye", "left_leg", "left_wing", "nape"),
    *("right_eye", "right_leg", "right_wing", "tail", "throat"),
)
"""The landmarks, in the order of `parts.txt`, with underscores for its spaces."""


def species(folder: str) -> list[str]:
    """Returns the names of the species, in the order of their numbers.

    Raises:
        UserError: the table is missing or damaged.
    """
    return [name for _, name in _rows(folder, "classes.txt", int, str)]


def references(folder: str, *, train: bool) -> Iterator[ImageReference]:
    """Yields one half of the official split, in the order of `images.txt`.

    Args:
        folder: the extracted archive, `CUB_200_2011`.
        train: whether to yield the training images; else the test images.

    Returns:
        References whose location is a path, whose label is the species' index, and whose landmarks are the
        visible parts, without extent. All have a box.

    Raises:
        UserError: a table is missing or damaged.
    """
    boxes = {image: _box(*edges) for image, *edges in _rows(folder, "bounding_boxes.txt", int, *[float] * 4)}
    labels = {image: number - 1 for image, number in _rows(folder, "image_class_labels.txt", int, int)}
    split = {image for image, side in _rows(folder, "train_test_split.txt", int, int) if bool(side) == train}
    landmarks = _landmarks(folder)
    for image, path in _rows(folder, "images.txt", int, str):
        if image not in split:
            continue
        if image not in boxes or image not in labels:
            raise UserError(f"{folder}: image {image} of images.txt has no bounding box or no class label")
        yield ImageReference(
            id=os.path.splitext(path)[0],
            label=labels[image],
            location=os.path.join(folder, "images", *path.split("/")),
            box=boxes[image],
            landmarks=landmarks.get(image, {}),
        )


def _landmarks(folder: str) -> dict[int, dict[str, Landmark]]:
    """Returns the visible parts of each image, by the image's number."""
    names = {number: name.replace(" ", "_") for number, name in _rows(folder, "parts/parts.txt", int, str)}
    if tuple(names.values()) != PARTS:
        raise UserError(f"{folder}/parts/parts.txt names other parts than {', '.join(PARTS)}")
    found: dict[int, dict[str, Landmark]] = {}
    for image, part, x, y, visible in _rows(folder, "parts/part_locs.txt", int, int, float, float, int):
        if part not in names:
            raise UserError(f"{folder}/parts/part_locs.txt: parts/parts.txt has no part {part}")
        if visible:
            found.setdefault(image, {})[names[part]] = Landmark(x=x, y=y)
    return found


def _box(x: float, y: float, width: float, height: float) -> Box:
    return Box(xmin=x, ymin=y, xmax=x + width, ymax=y + height)


def _rows(folder: str, name: str, *columns: Callable[[str], Any]) -> list[list[Any]]:
    """Reads a table whose columns have the given types; only the last column may hold spaces."""
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; the archive CUB_200_2011.tgz holds it, extract all of it"
        ) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            cells = line.split(maxsplit=len(columns) - 1)
            rows.append([column(cell) for column, cell in zip(columns, cells, strict=True)])
        except ValueError as error:
            kinds = ", ".join(column.__name__ for column in columns)
            raise UserError(f"{path}, line {number}: {line!r} is not {kinds}") from error
    return rows
