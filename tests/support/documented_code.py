"""The code that the documents show, to be run as a reader would."""

from __future__ import annotations

import pathlib
import re

import keras
import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]


def blocks(document: str, language: str) -> list[str]:
    """Returns the blocks of code in one language, in the order of the document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def write_photographs(folder: pathlib.Path, count: int = 12) -> None:
    """Draws a cat's and a dog's class, told apart by the colour of a patch."""
    random = np.random.default_rng(0)
    for name, colour in {"cat": (230, 120, 20), "dog": (20, 120, 230)}.items():
        (folder / name).mkdir(parents=True)
        for number in range(1, count + 1):
            image = random.integers(0, 120, (60, 80, 3), np.uint8)
            y, x = random.integers(5, 35), random.integers(5, 55)
            image[y : y + 20, x : x + 20] = colour
            Image.fromarray(image).save(folder / name / f"{number}.jpg")


def small_classifier() -> keras.Model:
    """A network of two classes, whose layers are called as those of VGG-16."""
    keras.utils.set_random_seed(0)
    image = keras.Input((224, 224, 3))
    x = keras.layers.Conv2D(8, 16, strides=16, activation="relu")(image)
    # The rule wants units that see half of the image.
    x = keras.layers.Conv2D(8, 7, padding="same", activation="relu", name="block5_conv3")(x)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    for name in ("fc1", "fc2"):
        x = keras.layers.Dense(12, activation="relu", name=name)(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="predictions")(x))
