import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.extraction.example_encoding import encode_example
from tf_explainer.features.feature_coding import encode, to_float16
from tf_explainer.features.views import Crop
from tf_explainer.images.folds import fold_position
from tf_explainer.images.record import ImageReference

RANDOM = np.random.default_rng(0)
FEATURES = {
    "conv": RANDOM.normal(size=(3, 3, 2)).astype(np.float32),
    "fc1": RANDOM.normal(size=5).astype(np.float32),
}
ENCODED = {layer: encode(to_float16(values), "sparse") for layer, values in FEATURES.items()}
SCORES = np.array([0.25, 0.75], np.float32)
LANDMARKS = np.array([[0.5, 0.25, 0.1, 0.2], [np.nan] * 4], np.float32)
PIXELS = np.full((16, 16, 3), (10, 200, 30), np.uint8)


@pytest.fixture(name="crop")
def _crop():
    reference = ImageReference(id="fox/gr\u00fcn", label=2, location="somewhere")
    return Crop(
        reference=reference,
        view="original",
        pixels=PIXELS,
        landmarks=LANDMARKS,
        affine=np.float32([1, 0, 1, 0]),
    )


def parsed(encoded):
    return tf.train.Example.FromString(encoded).features.feature


def test_a_record_holds_what_the_schema_says(crop):
    feature = parsed(encode_example(crop, ENCODED, SCORES, 90))
    assert set(feature) == {
        "id",
        "view",
        "affine",
        "label",
        "fold_position",
        "landmarks",
        "crop",
        "scores",
        "features/conv",
        "features/fc1",
    }
    assert feature["id"].bytes_list.value[0].decode() == "fox/gr\u00fcn"
    assert list(feature["label"].int64_list.value) == [2]
    assert list(feature["fold_position"].float_list.value) == [fold_position("fox/gr\u00fcn")]
    np.testing.assert_array_equal(np.float32(feature["landmarks"].float_list.value).reshape(2, 4), LANDMARKS)
    np.testing.assert_array_equal(np.float32(feature["scores"].float_list.value), SCORES)


def test_features_are_stored_as_they_are_encoded(crop):
    feature = parsed(encode_example(crop, ENCODED, SCORES, 90))
    for layer, encoded in ENCODED.items():
        assert tuple(feature[f"features/{layer}"].bytes_list.value) == encoded


def test_the_crop_is_a_jpeg(crop):
    feature = parsed(encode_example(crop, ENCODED, SCORES, 95))
    image = Image.open(io.BytesIO(feature["crop"].bytes_list.value[0]))
    assert image.format == "JPEG"
    assert np.abs(np.asarray(image).astype(int) - PIXELS).max() <= 3


def test_a_view_has_its_own_id_and_its_images_fold(crop):
    affine = np.float32([1, 0, -1, 1])
    feature = parsed(
        encode_example(dataclasses.replace(crop, view="flip", affine=affine), ENCODED, SCORES, 90)
    )
    assert feature["id"].bytes_list.value[0].decode() == "fox/gr\u00fcn#flip"
    assert feature["view"].bytes_list.value[0] == b"flip"
    assert list(feature["affine"].float_list.value) == [1, 0, -1, 1]
    assert list(feature["fold_position"].float_list.value) == [fold_position("fox/gr\u00fcn")]


def test_lower_quality_takes_less_space(crop):
    noise = RANDOM.integers(0, 256, (64, 64, 3), np.uint8)
    noisy = dataclasses.replace(crop, pixels=noise)
    sizes = [len(encode_example(noisy, ENCODED, SCORES, quality)) for quality in (20, 90)]
    assert sizes[0] < sizes[1] / 2


def test_the_same_record_has_the_same_bytes(crop):
    backwards = dict(reversed(ENCODED.items()))
    assert encode_example(crop, ENCODED, SCORES, 90) == encode_example(crop, backwards, SCORES, 90)
