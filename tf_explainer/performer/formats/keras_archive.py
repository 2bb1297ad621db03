"""Reads the configuration of a Keras file without building the model: the code and classes that it needs."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import tensorflow as tf

from tf_explainer.performer.formats.foreign_files import HDF5, source

_CODE = {"__lambda__": "a Python function", "Lambda": "a Lambda layer", "TFSMLayer": "a SavedModel"}
"""What Keras restores only outside of safe mode, by class name in a configuration."""
# Endings of settings for training, which do not change what a model computes.
_OF_TRAINING = ("_regularizer", "_constraint", "_initializer")
_CONFIG = "config.json"


class Configuration:
    """The configuration in a `.keras` or HDF5 file, without settings that only training needs.

    Args:
        path: of a file that holds a complete model, on any file system that TensorFlow reads.

    Raises:
        ValueError: the file has no configuration, or it cannot be read.

    Attributes:
        is_hdf5: whether the file is HDF5.
        written_by: version of Keras that wrote the file; empty if it is not stored.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with tf.io.gfile.GFile(path, "rb") as file:
            self.is_hdf5 = file.read(len(HDF5)) == HDF5
        try:
            self._config, self.written_by = self._of_hdf5() if self.is_hdf5 else self._of_archive()
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"its configuration cannot be read: {error}") from error
        self._config.pop("compile_config", None)
        self._needed = _without_training(self._config)

    def _of_archive(self) -> tuple[dict[str, Any], str]:
        with zipfile.ZipFile(source(self._path)) as archive:
            config = json.loads(archive.read(_CONFIG))
            names = archive.namelist()
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
        return config, str(metadata.get("keras_version", ""))

    def _of_hdf5(self) -> tuple[dict[str, Any], str]:
        with h5py.File(source(self._path), "r") as file:
            return json.loads(file.attrs["model_config"]), str(file.attrs.get("keras_version", ""))

    def code(self) -> list[str]:
        """Returns the kinds of code in the file, such as `a Lambda layer`."""
        return sorted(
            {_CODE[node["class_name"]] for node in _objects(self._needed) if node["class_name"] in _CODE}
        )

    def unknown_classes(self) -> list[str]:
        """Returns the classes and functions that are neither Keras' own nor registered, as `module.name`."""
        return sorted({name for node in _objects(self._needed) if (name := _unknown(node))})

    @contextlib.contextmanager
    def loadable(self) -> Iterator[str]:
        """Yields the path of a local file that Keras can load, a stripped copy of this one if necessary.

        Its suffix is that of the file's format. Settings that only training needs are removed.
        """
        suffix = ".h5" if self.is_hdf5 else ".keras"
        stripped = self._needed != self._config
        if os.path.isfile(self._path) and self._path.endswith(suffix) and not stripped:
            yield self._path
            return
        with tempfile.TemporaryDirectory() as directory:
            local = os.path.join(directory, "model" + suffix)
            if stripped and not self.is_hdf5:
                self._write_stripped(local)
            else:
                tf.io.gfile.copy(self._path, local)
            if stripped and self.is_hdf5:
                with h5py.File(local, "r+") as content:
                    content.attrs["model_config"] = json.dumps(self._needed)
            yield local

    def _write_stripped(self, path: str) -> None:
        with zipfile.ZipFile(source(self._path)) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                needed = json.dumps(self._needed) if name == _CONFIG else old.read(name)
                new.writestr(name, needed)


def _without_training(node: Any) -> Any:
    """Drops nested models' losses and metrics, and initialisers and the like that Keras cannot restore."""
    if isinstance(node, list):
        return [_without_training(value) for value in node]
    if not isinstance(node, dict):
        return node
    return {
        key: None if key.endswith(_OF_TRAINING) and _is_foreign(value) else _without_training(value)
        for key, value in node.items()
        if key != "compile_config"
    }


def _is_foreign(value: Any) -> bool:
    return any(node["class_name"] in _CODE or _unknown(node) for node in _objects(value))


def _unknown(node: dict[str, Any]) -> str | None:
    # Tensors, slices, dtypes and the like have names such as `__keras_tensor__` and no module.
    module = node.get("module") or "keras"
    name = str(node["config"]) if node["class_name"] == "function" else node["class_name"]
    own = module.split(".")[0] in ("keras", "builtins")
    if own or keras.saving.get_registered_object(node.get("registered_name") or name) is not None:
        return None
    return f"{module}.{name}"


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yields the parts of a configuration that describe objects."""
    if isinstance(node, dict):
        if isinstance(node.get("class_name"), str) and "config" in node:
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)
