import keras
import numpy as np
import pytest

from tf_explainer.errors import UserError
from tf_explainer.performer.preprocessing import Preprocessing, preprocessing_names

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)


def test_vgg16_subtracts_the_mean_from_bgr():
    expected = PIXELS[..., ::-1].astype(np.float32) - [103.939, 116.779, 123.68]
    np.testing.assert_allclose(Preprocessing("vgg16")(PIXELS), expected, atol=1e-4)


def test_mobilenet_v2_scales_to_plus_minus_one():
    np.testing.assert_allclose(Preprocessing("mobilenet_v2")(PIXELS), PIXELS / 127.5 - 1, atol=1e-6)


def test_models_that_preprocess_by_themselves_get_pixels():
    np.testing.assert_array_equal(Preprocessing("efficientnet")(PIXELS), PIXELS)


@pytest.mark.parametrize("application", preprocessing_names())
def test_every_application_keeps_shape_and_dtype(application):
    layer = Preprocessing(application)
    output = layer(PIXELS)
    assert output.shape == PIXELS.shape
    assert output.dtype == "float32"
    symbolic = layer(keras.Input((5, 4, 3)))
    assert symbolic.shape == (None, 5, 4, 3)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    np.testing.assert_array_equal(restored(PIXELS), output)


def test_half_precision():
    assert Preprocessing("vgg16", dtype="mixed_float16")(PIXELS).dtype == "float16"


def test_a_graph_of_it_saves_and_loads(tmp_path):
    image = keras.Input((5, 4, 3))
    model = keras.Model(image, Preprocessing("vgg16")(image))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(PIXELS), model(PIXELS))


@pytest.mark.parametrize("name", ["vgg17", "imagenet_utils", "load_model", ""])
def test_unknown_modules_are_refused(name):
    with pytest.raises(UserError, match=f"--preprocessing={name} .* nearest: .*v"):
        Preprocessing(name)
