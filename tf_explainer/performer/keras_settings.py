"""Checks the user's Keras settings, which could change how networks are built."""

from __future__ import annotations

import json
import os
import sys

from tf_explainer.errors import UserError

_EXPECTED = {"image_data_format": "channels_last", "floatx": "float32", "backend": "tensorflow"}
_WHY = {
    "image_data_format": "networks with channels first cannot be explained",
    "floatx": "a model file keeps its own types whatever is set",
    "backend": "the chain runs on TensorFlow",
}


def check() -> None:
    """Refuses settings that this project cannot work with, without importing Keras.

    Raises:
        UserError: a setting differs; the message names it, and the file or variable that sets it.
    """
    path = os.path.join(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras")), "keras.json")
    settings = _read(path)
    found = {name: (settings[name], path) for name in _EXPECTED if name in settings}
    if os.environ.get("KERAS_BACKEND"):
        found["backend"] = (os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND")
    if keras := sys.modules.get("keras"):
        here = "this process (keras.config)"
        found["image_data_format"] = (keras.config.image_data_format(), here)
        found["floatx"] = (keras.config.floatx(), here)
    for name, (value, where) in found.items():
        if value != _EXPECTED[name]:
            raise UserError(
                f"Keras is set to {name}={value} by {where}: set it to {_EXPECTED[name]}; {_WHY[name]}"
            )


def _read(path: str) -> dict[str, object]:
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        return {}  # Keras ignores a broken file too.
    return settings if isinstance(settings, dict) else {}
