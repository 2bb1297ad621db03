import math

import numpy as np
import pytest

from tf_explainer.metrics.resampling import bootstrap_intervals, permuted_null


def test_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = bootstrap_intervals(lambda images: {"mean": values[images].mean()}, np.zeros(400), 2000)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found["mean"] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.1 * half)


def test_every_image_is_replaced_by_one_of_its_group():
    groups = np.array([0, 1, 1, 0, 2, 1])
    seen = []
    bootstrap_intervals(lambda images: seen.append(images) or {}, groups, 20)
    assert all((groups[images] == groups).all() for images in seen)
    assert len({tuple(images) for images in seen}) > 10


def test_figures_keep_their_place_and_names_fall_away():
    figures = iter([{"a": {"b": 1.0, "name": "x"}, "c": None}, {"a": {"b": 3.0, "name": "y"}, "c": None}])
    found = bootstrap_intervals(lambda images: next(figures), np.zeros(3), 2)  # noqa: ARG005
    assert found == {"a": {"b": [pytest.approx(1.05), pytest.approx(2.95)]}}


def test_undefined_replicates_are_left_out():
    figures = iter([{"a": math.nan, "b": math.nan}, {"a": 2.0, "b": math.nan}])
    found = bootstrap_intervals(lambda images: next(figures), np.zeros(3), 2)  # noqa: ARG005
    assert found["a"] == [2.0, 2.0]
    assert math.isnan(found["b"])


def test_without_replicates_there_are_no_intervals():
    assert bootstrap_intervals(lambda images: pytest.fail("measured"), np.zeros(3), 0) is None  # noqa: ARG005


def test_images_change_places_within_their_group_only():
    groups = np.array([0, 0, 1, 1, 1, 0])
    seen = []
    permuted_null(lambda images: seen.append(images) or {"x": float(images[0])}, groups, 50)
    assert all(sorted(images) == list(range(6)) for images in seen)
    assert all((groups[images] == groups).all() for images in seen)
    assert {images[0] for images in seen} == {0, 1, 5}


def test_the_null_is_the_mean_over_permutations():
    x = np.arange(8.0)
    found = permuted_null(lambda images: {"first": x[images][0]}, np.zeros(8), 4000)
    assert found["first"] == pytest.approx(3.5, abs=0.15)
