"""Checks that checkpoints belong to a training run with the same settings, before it is resumed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from tf_explainer import atomic_file
from tf_explainer.config import DatasetConfig, ExplainerConfig, TrainConfig
from tf_explainer.errors import UserError
from tf_explainer.features.schema import Manifest

# Settings that may differ when a run is resumed.
_FREE = (
    "epochs",
    "steps",
    "strategy",
    "logical_cpus",
    "resume",
    "deterministic",
    "xla",
    "checkpoint_steps",
    "keep_checkpoints",
    "validation_every",
    "best_measure",
    "early_stopping",
    "profile",
)


def feature_fingerprint(manifest: Manifest) -> str:
    """Returns the SHA-256 of the content and order of stored features, in hexadecimal."""
    digest = hashlib.sha256()
    for shard in manifest.shards:
        digest.update(f"{shard.file} {shard.records} {shard.sha256}\n".encode())
    return digest.hexdigest()


def identity(
    manifest: Manifest, dataset: DatasetConfig, explainer: ExplainerConfig, config: TrainConfig
) -> dict[str, Any]:
    """Returns everything that the result of a training run depends on, as plain values."""
    training = {name: value for name, value in dataclasses.asdict(config).items() if name not in _FREE}
    settings = {
        "explainer": dataclasses.asdict(explainer),
        "training": training,
        "folds": [dataset.folds, dataset.held_out_fold],
        "performer": manifest.performer,
        "layers": [manifest.target.name, *(layer.name for layer in manifest.distilled)],
        "features": feature_fingerprint(manifest),
    }
    return json.loads(json.dumps(settings))


def write_identity(path: str, settings: dict[str, Any]) -> None:
    """Writes the identity of a training run, beside its checkpoints."""
    atomic_file.write_text(path, json.dumps(settings, indent=2) + "\n")


def check_identity(path: str, ours: dict[str, Any]) -> None:
    """Checks that existing checkpoints belong to this training run.

    Raises:
        UserError: they do not, or `path` cannot be read; the message names what differs.
    """
    try:
        with open(path, encoding="utf-8") as file:
            theirs = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(
            f"there are checkpoints, but {path}, which stores their settings, cannot be read ({error}): "
            "start over with --noresume"
        ) from error
    for group, settings in ours.items():
        if settings == theirs.get(group):
            continue
        if isinstance(settings, dict):
            old = theirs.get(group, {})
            changed = [f"{k}: {old.get(k)} -> {v}" for k, v in settings.items() if old.get(k) != v]
        else:
            changed = [f"{theirs.get(group)} -> {settings}"]
        raise UserError(
            f"the checkpoints beside {path} belong to a training with other settings ({group}: "
            f"{'; '.join(changed)}). Use another --workdir, or start over with --noresume"
        )
