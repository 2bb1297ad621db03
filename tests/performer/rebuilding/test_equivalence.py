import keras
import numpy as np
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer.rebuilding import equivalence

L = keras.layers
IMAGES = equivalence.drawn_images(16)


def network(bias=0.0, activation="relu"):
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3, activation="relu", name="conv", kernel_initializer="ones")(L.Rescaling(1 / 255)(image))
    x = L.Conv2D(
        4, 3, name="late", kernel_initializer="ones", bias_initializer=keras.initializers.Constant(bias)
    )(x)
    x = L.Activation(activation, name="act")(x)
    return keras.Model(image, L.Dense(2, kernel_initializer="ones")(L.GlobalAveragePooling2D(name="pool")(x)))


def test_images_are_whole_numbers_of_bytes():
    assert IMAGES.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(IMAGES, IMAGES.astype(np.uint8))
    assert np.ptp(IMAGES, axis=(1, 2, 3)).min() > 200


def test_equal_networks_pass():
    equivalence.check_same(network(), network(), IMAGES, "the copy")


@pytest.mark.parametrize(
    ("other", "layer"),
    [({"bias": 1.0}, "late"), ({"activation": "sigmoid"}, "act")],
    ids=["bias", "activation"],
)
def test_the_layer_where_networks_part_is_named(other, layer):
    message = rf"the copy is not the network any more.*first layer that differs is '{layer}'"
    with pytest.raises(UserError, match=message):
        equivalence.check_same(network(), network(**other), IMAGES, "the copy")


class Chance(L.Layer):
    """Answers otherwise each time."""

    def call(self, x):
        return x + 100 * keras.random.uniform(keras.ops.shape(x))


def test_chance_is_found():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Flatten()(Chance()(image)))
    with pytest.raises(UserError, match="the file gives an image different scores each time"):
        equivalence.check_steady(model, IMAGES, "the file")


def test_an_influence_of_the_batch_is_found():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, L.Flatten()(image - keras.ops.mean(image, axis=0)))
    with pytest.raises(UserError, match="depend on the other images"):
        equivalence.check_steady(model, IMAGES, "the file")
    equivalence.check_steady(network(), IMAGES, "the file")


def test_not_a_number_equals_itself_alone():
    image = keras.Input((16, 16, 3))
    nan = keras.Model(image, L.Flatten()(keras.ops.log(image - 300)))
    equivalence.check_same(nan, nan, IMAGES, "the copy")
    with pytest.raises(UserError, match="the copy"):
        equivalence.check_same(nan, keras.Model(image, L.Flatten()(image)), IMAGES, "the copy")
