import keras
import numpy as np
import pytest

from tests.plugins.snapshot_example import GRID, some_maps
from tf_explainer.errors import UserError
from tf_explainer.plugins.images import summary as image_summary
from tf_explainer.plugins.parts import summary
from tf_explainer.plugins.parts.quantised_maps import LEVELS


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(x)
    x = keras.layers.Conv2D(8, 3, padding="same", name="signed")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="scores")(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), np.uint8)


def test_any_layer_of_any_model(model, images):
    snapshot = summary.of_model(
        model, ["first", "signed"], images, classes=("a", "b"), labels=np.arange(40) % 2
    )
    cut = keras.Model(model.input, [model.get_layer(name).output for name in ("first", "signed")])
    for layer, maps in zip(snapshot.layers, cut.predict(images.astype(np.float32), verbose=0), strict=True):
        got = layer.maps.transpose(1, 2, 3, 0) * layer.scales / LEVELS
        np.testing.assert_allclose(got, np.maximum(maps, 0), atol=layer.scales.max() / 509)
    assert snapshot.layers[0].grid.side == 12
    assert snapshot.layers[0].grid.spacing == pytest.approx(2 / 24)
    assert snapshot.images.labels.tolist() == [0, 1] * 20
    assert "match" in {figure.key for figure in snapshot.layers[1].figures}


@pytest.mark.parametrize("shape", [(24, 40, 3), (None, None, 3)])
def test_images_and_maps_that_are_not_square(shape):
    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="first")(inputs)
    x = keras.layers.Conv2D(4, 3, strides=(1, 2), padding="same", name="wide")(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling2D()(x)))
    images = np.random.default_rng(0).integers(0, 256, (5, 24, 40, 3), np.uint8)
    snapshot = summary.of_model(model, ["first", "wide"], images)
    np.testing.assert_array_equal(snapshot.images.crops[:, :24], images)
    assert snapshot.images.crops.shape == (5, 40, 40, 3)
    assert not snapshot.images.crops[:, 24:].any()
    cut = keras.Model(inputs, [model.get_layer(name).output for name in ("first", "wide")])
    first, wide = cut.predict(images.astype(np.float32), verbose=0)
    got = [layer.maps.transpose(1, 2, 3, 0) * layer.scales / LEVELS for layer in snapshot.layers]
    np.testing.assert_allclose(got[0][:, :12], np.maximum(first, 0), atol=first.max() / 500)
    # Half as many columns as of the rows' spacing: each stands twice.
    np.testing.assert_allclose(got[1][:, :12], np.maximum(wide, 0).repeat(2, 2), atol=wide.max() / 500)
    for layer in snapshot.layers:
        assert layer.maps.shape == (4, 5, 20, 20)
        assert not layer.maps[:, :, 12:].any()
        assert layer.grid.spacing == pytest.approx(2 / 40)
    scores = image_summary.of_model(model, "first", images)
    for one in scores.ranked:
        maps = one.attribution.interpretable_maps
        assert maps.shape == (5, 20, 20)
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), one.attribution.parts.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(("layer", "words"), [("third", "no layer 'third'"), ("scores", "feature maps")])
def test_a_wrong_layer_is_refused(model, images, layer, words):
    with pytest.raises(UserError, match=words):
        summary.of_model(model, [layer], images)


def test_figures_of_known_responses():
    maps = some_maps()
    layer = summary.of_maps("x", "x", maps, GRID, [summary.of_maps("performer", "p", maps[..., ::-1], GRID)])
    figures = {figure.key: figure.values for figure in layer.figures}
    np.testing.assert_allclose(figures["peak"], maps.max(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(figures["mean_peak"], maps.max(axis=(1, 2)).mean(axis=0), rtol=0.01)
    live = 100 * (maps.max(axis=(1, 2)) > 0).mean(axis=0)
    np.testing.assert_allclose(figures["live"], live)
    # The performer's filters are these in reverse; 1 and 4 are each other's only copies.
    assert figures["match"][[0, 1, 4, 6]].tolist() == [6, 5, 2, 0]
    assert np.isnan(figures["match"][3])
    np.testing.assert_allclose(np.delete(figures["match_correlation"], 3), 1, atol=1e-3)
    assert figures["duplicate"][5] == 2


def test_maps_of_one_byte_are_exact_to_half_a_level():
    maps = some_maps()
    layer = summary.of_maps("x", "x", maps, GRID)
    error = np.abs(layer.maps.transpose(1, 2, 3, 0) * layer.scales / LEVELS - maps)
    assert (error <= layer.scales / 510 * 1.001).all()
    assert layer.scales[3] == 1
