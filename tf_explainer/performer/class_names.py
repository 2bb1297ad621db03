"""Names of a performer's classes, in the order of its outputs: from the user or from its training."""

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

_IMAGENET_CLASSES = 1000


def named(config: PerformerConfig) -> PerformerConfig:
    """Replaces `--class_names=FILE` or `imagenet` by the names themselves.

    Raises:
        UserError: the file cannot be read, or ImageNet's names cannot be fetched.
    """
    if len(config.class_names) != 1:
        return config
    (source,) = config.class_names
    return dataclasses.replace(config, class_names=_imagenet() if source == "imagenet" else _lines(source))


def of_training(config: PerformerConfig, workdir: WorkDir, fingerprint: str) -> PerformerConfig:
    """Adds the names in the report of `train_performer`, if the report is about this performer."""
    try:
        with open(workdir.performer_report, encoding="utf-8") as file:
            report = PerformerReport.from_json(file.read())
    except (OSError, ValueError):
        return config
    if report.fingerprint != fingerprint:
        return config
    return dataclasses.replace(config, class_names=tuple(report.classes))


def of_own_head(performer_config: PerformerConfig, classes: int) -> PerformerConfig:
    """Adds ImageNet's names for a backbone with its own head, if it has ImageNet's number of classes.

    If Keras' list of the names cannot be fetched, a warning is logged, and the classes have no names.
    """
    if performer_config.class_names or classes != _IMAGENET_CLASSES:
        return performer_config
    try:
        return dataclasses.replace(performer_config, class_names=_imagenet())
    except UserError as error:
        logging.warning("%s. Classes are numbered; to name them, set --class_names=FILE", error)
        return performer_config


def check(names: Sequence[str], classes: int) -> None:
    """Checks that there are no names at all, or a different name for each class.

    Raises:
        UserError: there are too many or too few names, or a name stands for several classes.
    """
    if not names:
        return
    if len(names) != classes:
        raise UserError(f"--class_names: {len(names)} names, but the performer has {classes} classes")
    if duplicates := [name for name in names if list(names).count(name) > 1]:
        raise UserError(f"--class_names: {duplicates[0]!r} stands for several classes")


def _lines(path: str) -> tuple[str, ...]:
    try:
        with open(os.path.expanduser(path), encoding="utf-8-sig") as file:
            return tuple(line.strip() for line in file if line.strip())
    except (OSError, ValueError) as error:
        raise UserError(
            f"--class_names={path}: neither several names (a,b) nor a file with one name per line: {error}"
        ) from error


def _imagenet() -> tuple[str, ...]:
    """Returns Keras' names of ImageNet's 1000 classes; classes of the same name also get their synset."""
    try:
        each_class = np.eye(_IMAGENET_CLASSES, dtype=np.float32)
        decoded = keras.applications.imagenet_utils.decode_predictions(each_class, top=1)
    except Exception as error:  # Downloads raise undocumented types.
        raise UserError(f"--class_names=imagenet: Keras' list cannot be fetched: {error}") from error
    names = [name for ((_, name, _),) in decoded]
    return tuple(name if names.count(name) == 1 else f"{name} ({synset})" for ((synset, name, _),) in decoded)
