import keras
import numpy as np
import pytest

from tf_explainer.performer import signed_maps

L = keras.layers
MAPS = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "treatment"),
    [
        (L.ReLU(), "whole"),
        (L.Activation("swish"), "cut"),
        (L.LeakyReLU(0.1), "cut"),
        (L.Activation("tanh"), "split"),
        (L.LayerNormalization(), "split"),
    ],
    ids=str,
)
def test_the_treatment_is_told_by_the_graph(layer, treatment):
    assert signed_maps.treatment(layer(keras.Input((3, 3, 4)))) == treatment


@pytest.mark.parametrize("treated", ["whole", "cut", "split"])
def test_there_and_back(treated):
    maps = keras.Input((3, 3, 4))
    there = signed_maps.non_negative(maps, treated)
    back = signed_maps.signed(there, treated)
    explained, restored = keras.Model(maps, [there, back])(MAPS)
    expected = {
        "whole": MAPS,
        "cut": np.maximum(MAPS, 0),
        "split": np.concatenate([np.maximum(MAPS, 0), np.maximum(-MAPS, 0)], axis=-1),
    }
    np.testing.assert_array_equal(explained, expected[treated])
    np.testing.assert_array_equal(restored, np.maximum(MAPS, 0) if treated == "cut" else MAPS)


def test_the_notice_names_layer_and_share():
    assert "block can be negative" in signed_maps.notice("block", "cut", 0.0312)
    assert signed_maps.notice("block", "cut", 0.0312).endswith("leaves out 3.1% of its energy")
    assert signed_maps.notice("block", "split", None).endswith(
        "the second with an unknown share of its energy"
    )
