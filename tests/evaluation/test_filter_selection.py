import numpy as np
import pytest

from tests.metrics.examples import GRID, annotations, peaks_and_regions, random_landmarks, random_maps
from tests.metrics.scenes import maps_at, riders
from tf_explainer.evaluation.filter_selection import best_filters, followed_landmark, images_with_region
from tf_explainer.metrics.layer_measures import measure_layer
from tf_explainer.metrics.tracking import lowest


def _layer(maps, known):
    return measure_layer(*peaks_and_regions(maps), known, GRID, 100)


@pytest.fixture(name="scene")
def _scene():
    """Filters 0 to 2 ride on the head, two of them at the same offset; 3 on the legs; 4 stays; 5 is dead."""
    units, landmarks = riders()
    head, beside, legs, fixed, silent = np.moveaxis(units, 1, 0)
    known = annotations(landmarks)
    return _layer(maps_at(np.stack([head, beside, head, legs, fixed, silent], axis=1)), known), known


def test_copies_of_a_part_come_last(scene):
    layer, known = scene
    assert set(best_filters(layer, known, 3)) == {0, 1, 3}


def test_copies_are_better_than_nothing_but_dead_filters_are_not(scene):
    layer, known = scene
    assert set(best_filters(layer, known, 5)) == {0, 1, 2, 3, 4}
    assert set(best_filters(layer, known, 99)) == {0, 1, 2, 3, 4}


def test_tracking_filters_come_first_best_first(scene):
    layer, known = scene
    chosen = best_filters(layer, known, 99)
    ratio = lowest(layer.measures.ratio)[chosen]
    assert (np.diff(ratio) >= 0).all()
    assert chosen[-1] == 4


def test_the_followed_landmark_is_that_of_the_lowest_ratio(scene):
    layer, _ = scene
    assert followed_landmark(layer).tolist()[:4] == [0, 0, 0, 1]
    assert followed_landmark(layer)[5] == -1


def test_categories_take_turns():
    maps, landmarks = random_maps(80, 12), random_landmarks(80, 2)
    known = annotations(landmarks, np.arange(80) % 2, ("fox", "fish"))
    layer = _layer(maps, known)
    chosen = best_filters(layer, known, 6)
    assert layer.category[chosen].tolist() == [0, 1, 0, 1, 0, 1]


def test_without_landmarks_filters_that_respond_at_one_place_on_most_images_come_first():
    random = np.random.default_rng(0)
    maps = random.uniform(0.0, 0.1, (100, 6, 6, 4)).astype(np.float32)
    maps[..., 3] = 0
    maps[np.arange(18), 2, 3, 1] = 50  # 18 units are above the threshold: on 18 images, or all on one.
    maps[0, :3, :, 2] = 50
    known = annotations(np.zeros((100, 0, 4)))
    layer = _layer(maps, known)
    assert images_with_region(layer)[1:].tolist() == [0.18, 0.01, 0.0]
    chosen = best_filters(layer, known, 4)
    assert chosen[-1] == 2
    assert sorted(chosen) == [0, 1, 2]
