"""The performer's file, on its way to the workers."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import tempfile

import numpy as np
from apache_beam.io.filesystems import FileSystems

from pipelines import atomic_files
from tf_explainer.config import PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performers import Performer, load_performer

_STAGED = "performer.keras"


def save_if_new(performer: Performer, workdir: WorkDir) -> None:
    """Saves a backbone with its own head to where a trained performer would be, for the later steps."""
    if performer.config.performer or FileSystems.exists(workdir.performer):
        return
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, _STAGED)
        performer.model.save(local)
        atomic_files.publish_file(local, workdir.performer)


def stage(config: PerformerConfig, workdir: WorkDir) -> PerformerConfig:
    """Puts the performer where workers find it.

    Args:
        config: of the performer.
        workdir: holds the performer, if `config` names no file.

    Returns:
        The settings by which a worker loads it; a local file is copied to features that lie elsewhere.
    """
    if not config.performer:
        # What is in the work directory preprocesses by itself.
        config = dataclasses.replace(config, performer=workdir.performer, preprocessing=None)
    path = config.performer or ""
    if FileSystems.get_scheme(path) is None and FileSystems.get_scheme(workdir.features) is not None:
        staged = posixpath.join(workdir.features, _STAGED)
        atomic_files.publish_file(path, staged)
        return dataclasses.replace(config, performer=staged)
    return config


class LoadedPerformer:
    """A staged performer in memory.

    Args:
        config: from `stage`.
        fingerprint: of the performer that is expected.

    Raises:
        UserError: the file is another performer by now.
    """

    def __init__(self, config: PerformerConfig, fingerprint: str) -> None:
        with tempfile.TemporaryDirectory() as directory:
            local = os.path.join(directory, _STAGED)
            atomic_files.fetch_file(config.performer or "", local)
            performer = load_performer(dataclasses.replace(config, performer=local), WorkDir(root=directory))
        if performer.fingerprint != fingerprint:
            raise UserError(
                f"{config.performer} was replaced by another performer while features were computed"
            )
        self._model = performer.feature_model()

    def predict(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Returns each layer's features and the scores for uint8 crops `[B, S, S, 3]`."""
        return self._model.predict_on_batch(crops)
