import keras
import numpy as np
import pytest

from tf_explainer.performer.activation_statistics import activation_statistics


def test_shares_of_values_and_of_energy():
    image = keras.Input((2, 2, 3))
    signed = keras.layers.Rescaling(1.0, offset=-2.0, name="signed")(image)
    model = keras.Model(image, keras.layers.ReLU(name="relu")(signed))
    images = np.zeros((2, 2, 2, 3), np.float32)
    images[0, 0, 0, 0] = 5.0  # 3 behind the offset; all others -2, 23 of them.
    found = activation_statistics(model, ["signed", "relu"], images)
    assert found["signed"].zeros == pytest.approx(23 / 24)
    assert found["signed"].negative_energy == pytest.approx(92 / 101)
    assert found["relu"].zeros == pytest.approx(23 / 24)
    assert found["relu"].negative_energy == 0


def test_maps_of_nothing_have_no_energy():
    image = keras.Input((2, 2, 3))
    model = keras.Model(image, keras.layers.ReLU(name="relu")(image))
    found = activation_statistics(model, ["relu"], np.zeros((1, 2, 2, 3), np.float32))["relu"]
    assert (found.zeros, found.negative_energy) == (1, 0)
