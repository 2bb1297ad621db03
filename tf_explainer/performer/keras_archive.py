"""What a `.keras` file asks for, read from its configuration without building anything."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

_CODE = {"__lambda__": "a Python function", "Lambda": "a Lambda layer", "TFSMLayer": "a SavedModel"}
"""What Keras restores only out of safe mode, by its class name in a configuration."""


def code_in(path: str) -> list[str]:
    """Lists what a file holds that is code, such as `a Lambda layer`; empty where nothing is, or no file is.

    Args:
        path: of a `.keras` file, on any file system that TensorFlow reads.
    """
    return sorted({_CODE[node["class_name"]] for node in _nodes(path) if node["class_name"] in _CODE})


def unknown_classes(path: str) -> list[str]:
    """Lists the classes and functions that are neither Keras' own nor registered, as `module.name`.

    Args:
        path: of a `.keras` file, on any file system that TensorFlow reads.
    """
    found = set()
    for node in _nodes(path):
        # Tensors, slices, dtypes and the like are written as `__keras_tensor__`, ..., without a module.
        module = node.get("module") or "keras"
        name = str(node["config"]) if node["class_name"] == "function" else node["class_name"]
        own = module.split(".")[0] in ("keras", "builtins")
        if not own and keras.saving.get_registered_object(node.get("registered_name") or name) is None:
            found.add(f"{module}.{name}")
    return sorted(found)


def _nodes(path: str) -> list[dict[str, Any]]:
    """The parts of a configuration that stand for objects."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return list(_objects(json.loads(archive.read("config.json"))))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, tf.errors.OpError):
        return []


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("class_name"), str) and "config" in node:
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)
