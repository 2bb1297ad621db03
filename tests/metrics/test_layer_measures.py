import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, annotations, peaks_and_regions, random_landmarks, random_maps
from tf_explainer.metrics.layer_measures import NO_CATEGORY, mean_over_landmarks, measure_layer

TOP = 8


@pytest.fixture(name="layer", scope="module")
def _layer():
    """Two categories, two landmarks, the second of which category 1 lacks; a fifth is held out."""
    maps, landmarks = random_maps(80, 10), random_landmarks(80, 2)
    labels = np.arange(80) % 2
    landmarks[labels == 1, 1] = np.nan
    known = annotations(landmarks, labels, ("fox", "fish"), held_out=np.arange(80) % 5 < 2)
    return maps, known, measure_layer(*peaks_and_regions(maps), known, GRID, TOP)


def _responses(maps, known, category, f, k):
    images = np.flatnonzero(known.labels == category)
    return literal.responses(maps, known.landmarks, images, f, k, GRID)


def test_category_is_that_of_the_lowest_mean_instability(layer):
    maps, known, measured = layer
    for f in range(10):
        means = [
            literal.mean(literal.instability(_responses(maps, known, c, f, k)[:TOP]) for k in range(2))
            for c in range(2)
        ]
        expected = NO_CATEGORY if np.isnan(means).all() else int(np.nanargmin(means))
        assert measured.category[f] == expected
    assert set(measured.category) == {NO_CATEGORY, 0, 1}


def test_measures_are_those_of_the_literal_loops_on_the_category(layer):
    maps, known, measured = layer
    for f in np.flatnonzero(measured.category != NO_CATEGORY):
        for k in range(2):
            found = _responses(maps, known, measured.category[f], f, k)
            row = measured.measures
            close = {"rel": 1e-9, "nan_ok": True}
            assert row.instability[f, k] == pytest.approx(literal.instability(found[:TOP]), **close)
            assert row.ratio[f, k] == pytest.approx(literal.ratio(found[:TOP]), **close)
            assert row.ratio_all_images[f, k] == pytest.approx(literal.ratio(found), **close)


def test_held_out_ratio_is_over_the_stronger_half_of_unseen_images(layer):
    maps, known, measured = layer
    for f in np.flatnonzero(measured.category != NO_CATEGORY):
        images = np.flatnonzero((known.labels == measured.category[f]) & known.held_out)
        for k in range(2):
            found = literal.responses(maps, known.landmarks, images, f, k, GRID)
            expected = literal.ratio(found[: (len(found) + 1) // 2])
            assert measured.measures.ratio_held_out[f, k] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_dead_and_rare_filters_are_told_apart(layer):
    _, _, measured = layer
    assert measured.peaks.dead.tolist() == [True] + [False] * 9
    assert measured.rare.tolist() == [False, True] + [False] * 8
    assert np.isnan(measured.measures.ratio[:2]).all()


def test_without_landmarks_there_are_no_measures():
    maps = random_maps(12, 4)
    known = annotations(np.zeros((12, 0, 4)))
    measured = measure_layer(*peaks_and_regions(maps), known, GRID, TOP)
    assert measured.measures.ratio.shape == (4, 0)
    assert (measured.category == NO_CATEGORY).all()


def test_mean_over_landmarks_skips_undefined_ones():
    values = np.array([[0.1, 0.3], [np.nan, 0.2], [np.nan, np.nan]])
    np.testing.assert_allclose(mean_over_landmarks(values), [0.2, 0.2, np.nan])
