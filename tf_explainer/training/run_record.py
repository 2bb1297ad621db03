"""Writes `run.json`: the settings, versions and devices of a training run."""

from __future__ import annotations

import datetime
import json
import pathlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import keras

from tf_explainer import atomic_file
from tf_explainer.features.schema import Manifest
from tf_explainer.training.training_identity import feature_fingerprint

_PACKAGES = ("tensorflow", "keras", "numpy", "apache-beam", "tensorboard")


class RunRecord(keras.callbacks.Callback):
    """Writes the record when training begins; a run that is refused leaves the earlier record in place.

    Args:
        *arguments: arguments of `write_run_record`.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__()
        self._arguments = arguments

    def on_train_begin(self, logs: Any = None) -> None:
        """Writes the record."""
        del logs
        write_run_record(*self._arguments)


def write_run_record(
    path: str, manifest: Manifest, flags: Mapping[str, Any], seeds: Mapping[str, int], devices: list[str]
) -> None:
    """Writes the record of a run that starts or resumes.

    Args:
        path: path of the file.
        manifest: manifest of the features.
        flags: every flag and its value.
        seeds: the seeds by their purpose.
        devices: the devices that the training runs on.
    """
    record = {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "flags": dict(flags),
        "seeds": dict(seeds),
        "versions": {"python": platform.python_version()} | _versions(),
        "git_revision": git_revision(),
        "features": feature_fingerprint(manifest),
        "performer": manifest.performer,
        "devices": devices,
    }
    atomic_file.write_text(path, json.dumps(record, indent=2) + "\n")


def git_revision() -> str | None:
    """Returns the git revision of the source, with a `+` if files have changed since; None outside git."""
    folder = pathlib.Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
