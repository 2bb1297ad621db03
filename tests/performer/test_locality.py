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
NOT_LOCAL = [
    L.Permute((2, 1, 3)),
    L.Reshape((6, 6, 6)),
    L.Conv2D(6, 3, padding="same"),
    L.Attention(),
    L.Softmax(axis=1),
]


@pytest.mark.parametrize("layer", LOCAL, ids=lambda layer: type(layer).__name__)
def test_layers_that_act_in_place(layer):
    layer(MAP)
    assert is_local(layer, MAP)


@pytest.mark.parametrize(
    "layer", [*NOT_LOCAL[:1], *NOT_LOCAL[2:3], NOT_LOCAL[4]], ids=lambda layer: type(layer).__name__
)
def test_layers_that_move_or_mix_places(layer):
    layer(MAP)
    assert not is_local(layer, MAP)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: keras.ops.flip(x, 2),
        lambda x: keras.ops.roll(x, 1, 1),
        lambda x: keras.ops.swapaxes(x, 1, 2),
    ],
    ids=["flip", "roll", "swap"],
)
def test_operations_that_move_places(operation):
    assert not is_local(operation(MAP)._keras_history.operation, MAP)
    assert is_local(keras.ops.square(MAP)._keras_history.operation, MAP)
