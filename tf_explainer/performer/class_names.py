"""Names of a performer's classes, in the order of its outputs: told by a person, or by its training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import keras
import numpy as np
from absl import logging

from tf_explainer.config import PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performer.report import PerformerReport

_IMAGENET = "imagenet"
_IMAGENET_CLASSES = 1000


def named(config: PerformerConfig) -> PerformerConfig:
    """Puts the names themselves in the place of the file that holds them, or of `imagenet`.

    Raises:
        UserError: the file cannot be read, or ImageNet's names cannot be fetched.
    """
    if len(config.class_names) != 1:
        return config
    (only,) = config.class_names
    names = _imagenet() if only == _IMAGENET else _lines(only)
    return dataclasses.replace(config, class_names=names)


def of_training(config: PerformerConfig, workdir: WorkDir, fingerprint: str) -> PerformerConfig:
    """Adds the names that `train_performer` has left beside a performer, if it is that one."""
    try:
        with open(workdir.performer_report, encoding="utf-8") as file:
            report = PerformerReport.from_json(file.read())
    except (OSError, ValueError):
        return config
    if report.fingerprint != fingerprint:
        return config
    return dataclasses.replace(config, class_names=tuple(report.classes))


def of_own_head(performer_config: PerformerConfig, classes: int) -> PerformerConfig:
    """Adds ImageNet's names where a backbone has its own head, of ImageNet's classes.

    Where Keras' list of them cannot be fetched, they stay without names, and it is logged.
    """
    if performer_config.class_names or classes != _IMAGENET_CLASSES:
        return performer_config
    try:
        return dataclasses.replace(performer_config, class_names=_imagenet())
    except UserError as error:
        logging.warning("%s. Classes are called by their numbers, unless a file names them", error)
        return performer_config


def check(names: Sequence[str], classes: int) -> None:
    """Refuses names that are not one for each class.

    Raises:
        UserError: they are too many or too few, or one stands for several classes.
    """
    if not names:
        return
    if len(names) != classes:
        raise UserError(f"--class_names: {len(names)} names, but the performer tells {classes} classes apart")
    if twice := [name for name in names if list(names).count(name) > 1]:
        raise UserError(f"--class_names: {twice[0]!r} stands for several classes")


def _lines(path: str) -> tuple[str, ...]:
    try:
        with open(os.path.expanduser(path), encoding="utf-8-sig") as file:
            return tuple(line.strip() for line in file if line.strip())
    except (OSError, ValueError) as error:
        raise UserError(
            f"--class_names={path}: neither several names (a,b), nor a file with a name a line: {error}"
        ) from error


def _imagenet() -> tuple[str, ...]:
    """Returns Keras' own names of ImageNet's 1000 classes; some have one name, and get their synset, too."""
    try:
        ((found),) = zip(
            *keras.applications.imagenet_utils.decode_predictions(np.eye(1000, dtype=np.float32), top=1),
            strict=True,
        )
    except Exception as error:  # Whatever a download raises.
        raise UserError(f"--class_names=imagenet: Keras' list of them cannot be fetched: {error}") from error
    names = [name for _, name, _ in found]
    return tuple(name if names.count(name) == 1 else f"{name} ({synset})" for synset, name, _ in found)
