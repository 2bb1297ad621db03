import keras
import pytest

from tf_explainer.performer.locality import is_local

L = keras.layers
MAP = keras.Input((6, 6, 6))


class Squeezing(L.Layer):
    """Scales channels by their means."""

    def call(self, x):
        return x * keras.ops.sigmoid(keras.ops.mean(x, axis=(1, 2), keepdims=True))


LOCAL = [
    L.ReLU(),
    L.GroupNormalization(2),
    L.Softmax(),
    L.UnitNormalization(),
    L.RandomFlip(),
    L.GaussianDropout(0.5),
    Squeezing(),
]
NOT_LOCAL = [L.Permute((2, 1, 3)), L.Conv2D(6, 3, padding="same"), L.Softmax(axis=1)]
IN_PLACE = [lambda x: x / 255, lambda x: x - keras.ops.ones((6,)), keras.ops.square, lambda x: 1 - x]
MOVING = [
    lambda x: keras.ops.flip(x, 1),
    lambda x: keras.ops.flip(x, 2),
    lambda x: keras.ops.roll(x, 1, 1),
    lambda x: keras.ops.swapaxes(x, 1, 2),
]


@pytest.mark.parametrize("layer", LOCAL, ids=lambda layer: type(layer).__name__)
def test_layers_that_act_in_place(layer):
    assert is_local(layer(MAP))


@pytest.mark.parametrize("layer", NOT_LOCAL, ids=lambda layer: type(layer).__name__)
def test_layers_that_move_or_mix_places(layer):
    assert not is_local(layer(MAP))


def test_operations():
    assert all(is_local(operation(MAP)) for operation in IN_PLACE)
    assert not any(is_local(operation(MAP)) for operation in MOVING)
