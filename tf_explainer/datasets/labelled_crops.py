"""Reads a data set's crops with their labels, divided into training and held-out images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from absl import logging

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.source import ImageSource
from tf_explainer.errors import UserError
from tf_explainer.images.crop import crop_to_object
from tf_explainer.images.folds import fold_of, fold_position
from tf_explainer.images.record import ImageReference, UnreadableImageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelledCrop:
    """One image as a performer sees it.

    Attributes:
        image: `[S, S, 3]` uint8, RGB.
        label: index into the data set's classes.
        held_out: whether training must not see it.
    """

    image: np.ndarray
    label: int
    held_out: bool


def is_held_out(reference: ImageReference, config: DatasetConfig) -> bool:
    """Returns whether an image lies in the held-out fold."""
    return fold_of(fold_position(reference.id), config.folds) == config.held_out_fold


def read_crops(
    source: ImageSource, references: list[ImageReference], size: int, config: DatasetConfig
) -> Iterator[LabelledCrop]:
    """Reads and crops images; unreadable images are logged and left out.

    Args:
        source: the data set.
        references: the images to read.
        size: side of the crops, in pixels.
        config: which fold is held out.
    """
    for reference, record in source.read(references):
        try:
            if isinstance(record, UnreadableImageError):
                raise record
            image = crop_to_object(record, size)
        except UnreadableImageError as error:
            logging.warning("Image %s is left out: %s", reference.id, error)
            continue
        yield LabelledCrop(image=image, label=reference.label, held_out=is_held_out(reference, config))


def check_classes(labels: np.ndarray, classes: tuple[str, ...], config: DatasetConfig) -> None:
    """Checks that there are training images of every class, and at least two classes.

    Args:
        labels: `[N]` of the training images.
        classes: names of the data set's classes.
        config: for the message.

    Raises:
        UserError: there is one class only, or a class without training images.
    """
    dataset = f"--dataset={config.dataset}"
    if len(classes) < 2:
        raise UserError(
            f"{dataset} has only the class {', '.join(classes)}: a performer tells classes apart; "
            "name more --categories or leave out --nonegatives"
        )
    if not len(labels):
        raise UserError(
            f"{dataset} has no image to train on outside --held_out_fold={config.held_out_fold} "
            f"of --folds={config.folds}"
        )
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        raise UserError(
            f"{dataset} has no image to train on of {', '.join(empty)}: leave it out of --categories"
        )
