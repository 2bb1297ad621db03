"""An explainer that an earlier version has written gives what it gave then."""

import pathlib

import keras
import numpy as np
import pytest

import tf_explainer  # noqa: F401  (registers the layers)

FOLDER = pathlib.Path(__file__).parent / "written_before"


@pytest.mark.parametrize(
    "name",
    [
        "rooms",  # before the modules had folders
        "filter_losses",  # before filter losses and categories owned their statistics; icnn, predicted
    ],
)
def test_an_older_file(name):
    explainer = keras.models.load_model(FOLDER / f"{name}.keras")
    shape = (12, *explainer.feature_shape)
    x = np.maximum(np.random.default_rng(1).normal(size=shape), 0).astype("float32")
    outputs = explainer(x)
    with np.load(FOLDER / f"{name}.npz") as written:
        assert set(written) == set(outputs) >= {"conv_interp_2", "fc1", "fc2", "scores"}
        for layer in written:
            np.testing.assert_allclose(outputs[layer], written[layer], rtol=1e-4, atol=1e-5)
            assert np.std(written[layer]) > 0
