import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, random_landmarks, random_maps
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.metrics.tracking import best_followed, lowest, tracking_ratio


@pytest.mark.parametrize("top", [1, 5, 100])
def test_agrees_with_a_literal_loop(top):
    maps, landmarks = random_maps(30, 8), random_landmarks(30, 1)
    annotated = ~np.isnan(landmarks[:, 0, 0])
    peaks = Peaks.of(maps[annotated])
    found = tracking_ratio(GRID.centres(peaks.units), landmarks[annotated, 0, :2], peaks.strongest(top))
    expected = [
        literal.ratio(literal.responses(maps, landmarks, range(30), f, 0, GRID)[:top]) for f in range(8)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.fixture(name="landmark")
def _landmark():
    return np.random.default_rng(0).uniform(size=(40, 2))


def test_a_filter_that_ignores_the_image_has_exactly_1(landmark):
    kept = np.random.default_rng(1).random((40, 3)) < 0.5
    places = np.broadcast_to([[0.1, 0.9], [0.5, 0.5], [0.0, 0.3]], (40, 3, 2))
    assert tracking_ratio(places, landmark, kept) == pytest.approx([1, 1, 1], rel=1e-12)


def test_a_filter_that_rides_on_the_landmark_has_0(landmark):
    ratio = tracking_ratio(landmark[:, None] + [0.2, -0.4], landmark, np.ones((40, 1), bool))
    assert ratio == pytest.approx([0], abs=1e-12)


def test_a_filter_that_moves_against_the_landmark_has_4(landmark):
    assert tracking_ratio(1 - landmark[:, None], landmark, np.ones((40, 1), bool)) == pytest.approx([4])


def test_landmarks_that_do_not_move_cannot_be_tracked():
    places = np.random.default_rng(0).uniform(size=(9, 2, 2))
    assert np.isnan(tracking_ratio(places, np.full((9, 2), 0.3), np.ones((9, 2), bool))).all()


def test_fewer_than_two_images_give_no_ratio(landmark):
    kept = np.zeros((40, 2), bool)
    kept[3, 0] = True
    assert np.isnan(tracking_ratio(landmark[:, None] + np.zeros((2, 2)), landmark, kept)).all()


def test_the_lowest_ratio_skips_undefined_ones():
    ratios = np.array([[0.7, 0.2], [np.nan, 3.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(lowest(ratios), [0.2, 3.0, np.nan])


def test_a_landmark_is_followed_if_no_other_is_followed_better():
    ratios = np.array([[0.4, 0.2], [0.3, np.nan], [0.6, 0.9], [np.nan, np.nan], [0.1, 0.1]])
    assert best_followed(ratios).tolist() == [1, 0, -1, -1, 0]


def test_without_landmarks_nothing_is_followed():
    assert np.isnan(lowest(np.zeros((3, 0)))).all()
    assert best_followed(np.zeros((3, 0))).tolist() == [-1, -1, -1]
