"""Image classifiers of KerasHub, by a preset's name, a handle (`hf://...`, `kaggle://...`) or a folder."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import keras

from tf_explainer.errors import UserError, first_line

_SCHEMES = ("hf://", "kaggle://", "modelscope://")
_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")


def is_preset(name: str) -> bool:
    """Returns whether `--performer` names a preset, not a file."""
    if os.path.exists(name):
        return os.path.isdir(name) and _is_of_hub(os.path.join(name, "config.json"))
    return name.startswith(_SCHEMES) or bool(_NAME.fullmatch(name))


def load_preset(name: str) -> tuple[keras.Model, keras.layers.Layer | None]:
    """Loads an image classifier with its head.

    Args:
        name: of the preset.

    Returns:
        The model, and the layer that scales RGB pixels, 0 to 255, to its input; None if the preset defines no
        scaling.

    Raises:
        UserError: KerasHub is not installed, does not know the preset or cannot fetch it; or the preset is
            not an image classifier, or does more than scale pixels.
    """
    try:
        import keras_hub
    except ImportError as error:
        is_sure = os.path.isdir(name) or name.startswith(_SCHEMES)
        what = "is a preset of KerasHub" if is_sure else "is no file, and might be a preset of KerasHub"
        raise UserError(
            f"--performer={name} {what}, which is not installed: pip install keras-hub, in the environment "
            "of this project"
        ) from error
    try:
        model = keras_hub.models.ImageClassifier.from_preset(name)
    except Exception as error:  # Downloads and presets of other kinds raise undocumented types.
        raise UserError(
            f"--performer={name} is no file, and KerasHub cannot load it as an image classifier: "
            f"{first_line(error)}"
        ) from error
    return model, _scaling(name, getattr(model.preprocessor, "image_converter", None))


def _is_of_hub(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("registered_name", "")).startswith("keras_hub>")
    except (OSError, ValueError, AttributeError):
        return False


def _scaling(name: str, converter: Any) -> keras.layers.Layer | None:
    """Returns the scaling of a preset's converter; its image size is ignored.

    Raises:
        UserError: the converter does more than scale pixels.
    """
    if converter is None:
        return None
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    layer = keras.layers.Rescaling(scale, offset, name="preprocessing")
    side = (converter.image_size or (8, 8))[0]
    pixels = keras.random.uniform((1, side, side, 3), 0, 255, seed=0)
    ours, theirs = (keras.ops.convert_to_numpy(each(pixels)) for each in (layer, converter))
    if ours.shape != theirs.shape or abs(ours - theirs).max() > 1e-3 * max(1.0, abs(theirs).max()):
        raise UserError(f"--performer={name}: its {type(converter).__name__} does more than scale pixels")
    return layer
