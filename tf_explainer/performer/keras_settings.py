"""Settings of a person's or machine's Keras by which networks would be built otherwise than expected."""

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
    """Refuses settings that differ from those that the chain needs, without importing Keras.

    Raises:
        UserError: names the setting, and the file or variable that makes it.
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
        return {}  # As Keras does.
    return settings if isinstance(settings, dict) else {}
