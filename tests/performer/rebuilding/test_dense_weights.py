import keras
import numpy as np
import pytest

from tf_explainer.performer.rebuilding import dense_weights

L = keras.layers
VECTORS = np.random.default_rng(0).uniform(0, 1, (3, 6)).astype(np.float32)


def dense(**options):
    layer = L.Dense(4, bias_initializer="random_normal", **options)
    layer.build((None, 6))
    return layer


@pytest.mark.parametrize(("mode", "lora"), [(None, False), (None, True), ("int8", False), ("float8", False)])
def test_weights_give_what_the_layer_gives(mode, lora):
    layer = dense(activation="relu")
    if lora:
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    if mode:
        layer.quantize(mode)
    weights = dense_weights.weights_of(layer)
    found = np.maximum(VECTORS @ weights.kernel + weights.bias, 0)
    np.testing.assert_allclose(
        found, layer(VECTORS), atol=0.1 if mode == "float8" else 0.03 if mode else 1e-5
    )
    assert weights.activation == "relu"


class Twice(L.Dense):
    """Does more than a Dense layer."""

    def call(self, x, training=None):
        return 2 * super().call(x)


def test_what_is_more_than_a_dense_layer_has_none():
    assert dense_weights.weights_of(L.Flatten()) is None
    assert dense_weights.weights_of(Twice(4)) is None
    assert dense_weights.weights_of(dense(activation=lambda x: x + 1)) is None
    packed, both = dense(), dense()
    packed.quantize("int4")
    assert dense_weights.weights_of(packed) is None
    both.enable_lora(2)
    both.quantize("int8")
    assert dense_weights.weights_of(both) is None


def test_without_a_bias_it_is_zero():
    np.testing.assert_array_equal(dense_weights.weights_of(dense(use_bias=False)).bias, np.zeros(4))
