"""The bare model that extraction is measured against."""

from __future__ import annotations

import json
import pathlib

import keras
import numpy as np
import pytest

from benchmarks import bare_model


@pytest.mark.parametrize("distilled", ["", "fc1"])
def test_every_image_is_computed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], distilled: str
) -> None:
    """Layers may be left to the rule, as the extraction's own flags leave them."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv")(image)
    x = keras.layers.Dense(4, activation="relu", name="fc1")(keras.layers.Flatten()(x))
    file = str(tmp_path / "performer.keras")
    keras.Model(image, keras.layers.Dense(2, activation="softmax")(x)).save(file)
    for number in range(3):
        folder = tmp_path / "images" / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(folder / f"{number}.png", np.zeros((20, 20, 3)), scale=False)
    bare_model.main(file, 16, "conv", distilled, str(tmp_path / "images"), 2, decoded=True)
    measured = json.loads(capsys.readouterr().out)
    assert measured["images"] == 3
    assert measured["seconds"] > 0
