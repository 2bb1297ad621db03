"""A finished run that any process can load to explain images."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import tempfile

from apache_beam.io.filesystems import FileSystems

from pipelines.feature_set import atomic_files
from pipelines.image_explanations.named_images import is_remote
from tf_explainer.config import AttributionConfig, PerformerConfig, WorkDir
from tf_explainer.errors import UserError
from tf_explainer.explanation import finished_run
from tf_explainer.explanation.finished_run import FinishedRun
from tf_explainer.features import schema
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.schema import Manifest

_PERFORMER = "named_performer.keras"


@dataclasses.dataclass(frozen=True, kw_only=True)
class StagedRun:
    """The location and settings of a run, in plain values that can be sent to any worker.

    Attributes:
        workdir: holds performer, explainer, parts and average image; it may be in a bucket.
        manifest: of the run's features.
        performer: the network and its layers.
        attribution: how scores are attributed.
    """

    workdir: WorkDir
    manifest: Manifest
    performer: PerformerConfig
    attribution: AttributionConfig

    def load(self) -> FinishedRun:
        """Reads the networks.

        Raises:
            UserError: a file is missing, damaged, or of another run.
        """
        with tempfile.TemporaryDirectory() as directory:
            local = WorkDir(root=directory) if is_remote(self.workdir.root) else self.workdir
            if local is not self.workdir:
                _fetch(self.workdir, local)
            performer = _fetched(self.performer, directory)
            try:
                return finished_run.assemble(local, self.manifest, performer, self.attribution)
            except UserError as error:
                raise UserError(str(error).replace(directory, self.workdir.root)) from error


def manifest_of(workdir: WorkDir) -> Manifest:
    """Reads the manifest of a run's features.

    Raises:
        UserError: the manifest is missing or damaged.
    """
    if not is_remote(workdir.features):
        return read_manifest(workdir.features)
    path = posixpath.join(workdir.features, schema.MANIFEST)
    if not FileSystems.exists(path):
        raise UserError(f"there is no feature manifest {path}: name the run's own --workdir")
    try:
        return Manifest.from_json(atomic_files.read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _fetch(workdir: WorkDir, local: WorkDir) -> None:
    """Copies the files that explain images; `assemble` reports missing ones."""
    for name in ("performer", "performer_report", "explainer", "part_groups", "mean_features"):
        if FileSystems.exists(getattr(workdir, name)):
            atomic_files.fetch_file(getattr(workdir, name), getattr(local, name))


def _fetched(config: PerformerConfig, directory: str) -> PerformerConfig:
    if not config.performer or not is_remote(config.performer) or not FileSystems.exists(config.performer):
        return config
    local = os.path.join(directory, _PERFORMER)
    atomic_files.fetch_file(config.performer, local)
    return dataclasses.replace(config, performer=local)
