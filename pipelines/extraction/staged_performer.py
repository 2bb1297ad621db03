"""Stages the performer's file where workers can read it, and loads it."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import tempfile

import numpy as np
from apache_beam.io.filesystems import FileSystems

from pipelines.extraction import counters
from pipelines.feature_set import atomic_files
from tf_explainer.config import PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.formats.hub_presets import is_preset
from tf_explainer.performer.performer import Performer, load_performer
from tf_explainer.performer.report import PerformerReport

_STAGED = "performer.keras"


def save_if_new(performer: Performer, workdir: WorkDir) -> None:
    """Saves a performer without a file (a preset, a backbone with its own head) as a trained one would be.

    Workers read it from there. So do later steps, which find the class names of a backbone beside it.
    """
    if _is_file(performer.config) or FileSystems.exists(workdir.performer):
        return
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, _STAGED)
        performer.model.save(local)
        atomic_files.publish_file(local, workdir.performer)
    if performer.config.class_names and not performer.config.performer:
        report = PerformerReport.of_own_head(performer.fingerprint, performer.config.class_names)
        atomic_files.publish_text(workdir.performer_report, report.to_json())


def _is_file(config: PerformerConfig) -> bool:
    return bool(config.performer) and not is_preset(config.performer or "")


def stage(config: PerformerConfig, workdir: WorkDir) -> PerformerConfig:
    """Copies a local performer beside the features if these are on another file system.

    Args:
        config: of the performer.
        workdir: holds the performer if `config` names no file.

    Returns:
        The settings with which a worker loads the performer.
    """
    local, staged = _of_file(config, workdir).performer or "", staged_config(config, workdir)
    if staged.performer and staged.performer != local:
        atomic_files.publish_file(local, staged.performer)
    return staged


def staged_config(config: PerformerConfig, workdir: WorkDir) -> PerformerConfig:
    """Returns the same settings as `stage`, without copying anything."""
    config = _of_file(config, workdir)
    is_local = FileSystems.get_scheme(config.performer or "") is None
    if is_local and FileSystems.get_scheme(workdir.features) is not None:
        return dataclasses.replace(config, performer=posixpath.join(workdir.features, _STAGED))
    return config


def _of_file(config: PerformerConfig, workdir: WorkDir) -> PerformerConfig:
    if _is_file(config):
        return config
    # A performer in the work directory contains its preprocessing.
    return dataclasses.replace(config, performer=workdir.performer, preprocessing=None)


def load(config: PerformerConfig, workdir: WorkDir) -> Performer:
    """Loads a performer as `load_performer` does, but also from a bucket.

    Raises:
        UserError: there is no performer, or the settings do not fit it.
    """
    staged = _of_file(config, workdir)
    path = staged.performer or ""
    if FileSystems.get_scheme(path) is None or not FileSystems.exists(path):
        return load_performer(config, workdir)
    with tempfile.TemporaryDirectory() as directory:
        local = os.path.join(directory, _STAGED)
        atomic_files.fetch_file(path, local)
        performer = load_performer(dataclasses.replace(staged, performer=local), WorkDir(root=directory))
    # Keep the settings that rules have completed, but not the path of the temporary copy.
    return Performer(
        performer.model,
        dataclasses.replace(performer.config, performer=config.performer, preprocessing=config.preprocessing),
    )


class LoadedPerformer:
    """A staged performer in memory.

    Args:
        config: from `stage`.
        fingerprint: of the expected performer.
        maps: file of maps that need not be computed (`backbone_maps.map_store`); it may be missing.

    Raises:
        UserError: the file now holds another performer.
    """

    def __init__(self, config: PerformerConfig, fingerprint: str, maps: str = "") -> None:
        performer = load(config, WorkDir(root=""))
        if performer.fingerprint != fingerprint:
            raise UserError(
                f"{config.performer} was replaced by another performer while features were computed"
            )
        self._maps = MapStore(maps, performer.below_target())
        self._above = performer.above_target()

    def predict(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Returns each layer's features and the scores for uint8 crops `[B, S, S, 3]`."""
        maps, found = self._maps.complete(crops)
        outputs = self._above.predict_on_batch(maps)
        if self._maps.exists:
            counters.count_taken_over(found)
        return outputs
