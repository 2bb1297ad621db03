"""An explainer that an earlier version has written gives what it gave then."""

import pathlib

import keras
import numpy as np

import tf_explainer  # noqa: F401  (registers the layers)

FOLDER = pathlib.Path(__file__).parent / "written_before"


def test_a_file_from_before_the_modules_had_folders():
    explainer = keras.models.load_model(FOLDER / "rooms.keras")
    shape = (12, *explainer.feature_shape)
    x = np.maximum(np.random.default_rng(1).normal(size=shape), 0).astype("float32")
    outputs = explainer(x)
    with np.load(FOLDER / "rooms.npz") as written:
        assert set(written) == set(outputs) >= {"conv_interp_2", "fc1", "fc2", "scores"}
        for name in written:
            np.testing.assert_allclose(outputs[name], written[name], rtol=1e-4, atol=1e-5)
            assert np.std(written[name]) > 0
