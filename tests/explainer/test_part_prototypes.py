"""Responsibilities of prototypes against their formula."""

import keras
import numpy as np
import pytest
from keras import ops

from tf_explainer.explainer.part_prototypes import PartPrototypes


@pytest.fixture
def features():
    return np.maximum(np.random.default_rng(3).normal(size=(2, 4, 4, 6)), 0).astype("float32")


@pytest.fixture
def layer():
    random = np.random.default_rng(4)
    layer = PartPrototypes(3, dimensions=5)
    layer.build((None, 4, 4, 6))
    layer.projection.assign(random.normal(size=(6, 5)))
    prototypes = random.normal(size=(3, 5))
    layer.prototypes.assign(prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True))
    return layer


def literal(image, projection, prototypes):
    """One image `[L, L, D]`, unit by unit."""
    units = image.reshape(-1, image.shape[-1]).astype("float64")
    weight = np.array([np.linalg.norm(unit) for unit in units])
    weight /= weight.max()
    mean = sum(w * np.sqrt(unit) for w, unit in zip(weight, units, strict=True)) / weight.sum()
    rows = []
    for w, unit in zip(weight, units, strict=True):
        q = (np.sqrt(unit) - mean) @ projection
        cosine = prototypes @ q / np.linalg.norm(q)
        share = np.exp(cosine / 0.1) / np.exp(cosine / 0.1).sum()
        rows.append(share * np.maximum(cosine, 0) * w)
    return np.reshape(rows, (*image.shape[:2], -1))


def test_responsibilities_are_the_formula(layer, features):
    found = ops.convert_to_numpy(layer(features))
    for image, of_image in zip(features, found, strict=True):
        expected = literal(image, np.asarray(layer.projection), np.asarray(layer.prototypes))
        np.testing.assert_allclose(of_image, expected, rtol=1e-3, atol=1e-5)


def test_the_scale_of_the_features_does_not_matter(layer, features):
    np.testing.assert_allclose(layer(100 * features), layer(features), rtol=1e-3, atol=1e-5)


def test_an_image_without_features_has_no_part(layer, features):
    assert np.isfinite(ops.convert_to_numpy(layer(0 * features))).all()


def test_half_precision_is_close(layer, features):
    half = ops.cast(features, "bfloat16")
    np.testing.assert_allclose(layer(half), layer(ops.cast(half, "float32")), rtol=1e-5)


def test_config_round_trip(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
