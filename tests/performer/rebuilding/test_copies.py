import keras
import numpy as np
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer.rebuilding.copies import frozen_copy

L = keras.layers
FEATURES = np.random.default_rng(0).uniform(0, 3, (2, 4, 4, 3)).astype(np.float32)


def adapted():
    layer = L.Normalization()
    layer.adapt(FEATURES)
    return layer


def quantised(mode):
    layer = L.Dense(5)
    layer.build((None, 4, 4, 3))
    layer.quantize(mode)
    # As from a file: Keras orders the weights of a layer otherwise that is quantised where it was made.
    return L.Dense.from_config(layer.get_config()) if mode == "float8" else layer


def with_lora():
    layer = L.Dense(5)
    layer.build((None, 4, 4, 3))
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.ones(layer.lora_kernel_b.shape))
    return layer


LAYERS = {
    "adapted": adapted,
    "in a wrapper": lambda: L.TimeDistributed(adapted()),
    "statistics as arguments": lambda: L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]),
    "discretised": lambda: L.Discretization([0.5, 1.0], dtype="float32"),
    "function": lambda: L.Lambda(lambda x: x * 2, output_shape=(4, 4, 3)),
    "int8": lambda: quantised("int8"),
    "int4": lambda: quantised("int4"),
    "float8": lambda: quantised("float8"),
    "low rank": with_lora,
    "spectral": lambda: L.SpectralNormalization(L.Conv2D(2, 3)),
    "half precision": lambda: L.Conv2D(2, 3, dtype="mixed_bfloat16"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_copies_know_all_that_their_layers_know(kind):
    features = keras.Input((4, 4, 3))
    model = keras.Model(features, L.Flatten()(LAYERS[kind]()(features)))
    copy = frozen_copy(model, "copy", "the copy")
    np.testing.assert_allclose(copy(FEATURES), model(FEATURES), rtol=1e-3)
    assert copy.trainable_weights == []
    assert not {id(each) for each in copy.weights} & {id(each) for each in model.weights}


class Forgetful(L.Layer):
    """Keeps what its configuration does not tell."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"name": self.name}


class Closed(L.Layer):
    """Cannot be made again."""

    def __init__(self, needed, **kwargs):
        super().__init__(**kwargs)
        self.needed = needed

    def call(self, x):
        return x

    def get_config(self):
        return {"name": self.name}


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Forgetful(2.0, name="forgetful"), "not the network any more.*'forgetful'"),
        (Closed(1), "cannot be made"),
    ],
    ids=["forgetful", "closed"],
)
def test_what_cannot_be_copied_is_refused(layer, reason):
    features = keras.Input((4, 4, 3))
    with pytest.raises(UserError, match=f"the copy.*{reason}"):
        frozen_copy(keras.Model(features, layer(features)), "copy", "the copy")
