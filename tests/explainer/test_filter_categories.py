"""Which images filters take for their own."""

import numpy as np
import pytest

from tf_explainer.explainer.filter_categories import (
    EveryImage,
    HighestPeak,
    PredictedCategory,
    RespondingImages,
)


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_all_images_or_those_that_a_filter_responds_to():
    maps = np.zeros((3, 2, 2, 2), "float32")
    maps[0, 1, 1, 0], maps[1, 0, 0, 0], maps[2, 0, 1, 1] = 0.6, 0.4, 2.0
    assert EveryImage().positive(maps, None, training=True) is None
    found = RespondingImages().positive(maps, None, training=True)
    np.testing.assert_array_equal(found, [[True, False], [False, False], [False, True]])


def test_images_of_the_class_that_a_filter_responds_to_most(random):
    labels = np.array([0, 1, 2, 0])
    maps = random.uniform(0.0, 0.1, (4, 3, 3, 3)).astype("float32")
    for b, label in enumerate(labels):
        maps[b, 1, 1, label] = 3.0  # Each filter has its class.
    layer = PredictedCategory(filters=3, classes=3)
    found = layer.positive(maps, labels, training=True)
    np.testing.assert_array_equal(found, labels[:, None] == np.arange(3))


def test_loud_classes_and_loud_filters_do_not_take_all_categories(random):
    layer = PredictedCategory(filters=90, classes=4, negative_class=3)
    preferred = np.arange(90) % 3
    response = random.uniform(0.5, 1.0, (4, 90)) * np.where(np.arange(4)[:, None] == preferred, 3.0, 1.0)
    response *= np.array([100.0, 1.0, 0.01, 5.0])[:, None] * random.lognormal(0, 3, 90)
    frequency = np.array([0.1, 0.2, 0.3, 0.4])
    layer.response.value.assign(response * frequency[:, None])
    layer.frequency.value.assign(frequency)
    np.testing.assert_array_equal(layer.category(), preferred)


def test_categories_share_out_filters_that_are_all_alike(random):
    layer = PredictedCategory(filters=400, classes=4)
    response = np.array([8.0, 4.0, 2.0, 1.0])[:, None] * random.uniform(0.9, 1.1, (4, 400))
    layer.response.value.assign(response / 4)
    layer.frequency.value.assign(np.full(4, 0.25))
    shares = np.bincount(layer.category(), minlength=4) / 400
    assert shares.min() > 0.2


def test_the_highest_mean_peak_decides_whatever_the_maps_sum_and_the_other_filters_choose():
    labels = np.array([0, 1, 0, 1, 2])
    maps = np.zeros((5, 3, 3, 2), "float32")
    maps[[0, 2], 1, 1] = 4.0  # Sharp on class 0,
    maps[[1, 3]] = 1.0  # broad on class 1;
    maps[4] = 9.0  # the loudest is no category.
    layer = HighestPeak(filters=2, classes=3, negative_class=2)
    found = layer.positive(maps, labels, training=True)
    np.testing.assert_array_equal(found, np.repeat(labels[:, None] == 0, 2, axis=1))
