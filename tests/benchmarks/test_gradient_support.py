import keras
import numpy as np
import pytest

from benchmarks import gradient_support
from benchmarks.gradient_support import extent, linear_copy, measured_field
from tf_explainer.images.unit_grid import ReceptiveField

L = keras.layers


def network(size=32):
    image = keras.Input((size, size, 3))
    x = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same", activation="swish")(image))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 5, name="conv")(x)))
    scale = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(image, L.Multiply(name="scaled")([x, scale]))


def test_a_copy_is_linear_up_to_the_layer():
    linear = linear_copy(network(), "scaled")
    one, other = np.random.default_rng(0).normal(size=(2, 1, 32, 32, 3)).astype(np.float32)
    zero = np.asarray(linear(one * 0))
    np.testing.assert_array_equal(zero, 0)
    np.testing.assert_allclose(linear(one + other), linear(one) + linear(other), rtol=1e-3, atol=1e-4)


def test_the_field_of_a_network_counted_by_hand():
    # Convolution 3, pooling 2, convolution 5 over pooled units: 3 + 1 + 4 * 2.
    assert measured_field(network(), "scaled") == ReceptiveField(size=12, stride=2, centre=5)


def test_fields_larger_than_the_image_are_measured_on_longer_strips():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, L.Conv2D(2, 17, padding="same", name="wide")(image))
    assert measured_field(model, "wide") == ReceptiveField(size=17, stride=1, centre=0.5)


@pytest.mark.parametrize("window", [(3, 5), (5, 3)])
def test_of_an_oblong_field_the_longer_side_counts(window):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Conv2D(2, window, padding="same", name="oblong")(image))
    assert measured_field(model, "oblong") == ReceptiveField(size=5, stride=1, centre=0.5)


def test_oblong_steps_are_refused():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Conv2D(2, 3, (1, 2), padding="same", name="oblong")(image))
    with pytest.raises(ValueError, match="oblong: rows see"):
        measured_field(model, "oblong")


def test_grouped_convolutions_and_squeezed_maps_keep_their_shapes():
    image = keras.Input((32, 32, 3))
    x = L.Conv2D(8, 3, strides=2, padding="same")(image)
    x = L.Conv2D(8, 3, groups=4, padding="same")(x)
    scale = L.Dense(8, activation="sigmoid")(L.Reshape((1, 1, 8))(L.GlobalAveragePooling2D()(x)))
    model = keras.Model(image, L.Multiply(name="scaled")([x, scale]))
    # The first 3, the second 3 that are 2 apart.
    assert measured_field(model, "scaled") == ReceptiveField(size=7, stride=2, centre=1.5)


def test_endless_fields_are_refused(monkeypatch):
    monkeypatch.setattr(gradient_support, "_LONGER", (0, 16))
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Conv2D(1, 65, padding="same", name="long")(image))
    with pytest.raises(ValueError, match="longer than 32 pixels"):
        measured_field(model, "long")


def test_units_at_the_border_see_less():
    linear = linear_copy(network(), "scaled")
    # Unit i: 2 i - 1 to 2 i + 11, and nothing before 0.
    assert extent(linear, (32, 40), (0, 5)) == (0, 11, 9, 21)
    assert extent(linear, (32, 40), (2, -1)) == (3, 15, 29, 40)


@pytest.mark.parametrize("seed", [0, 1])
def test_weights_are_positive(seed):
    assert all(np.min(weight) >= 0 for weight in linear_copy(network(), "conv", seed).weights)
