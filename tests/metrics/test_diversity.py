import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, random_maps
from tf_explainer.metrics.diversity import distinct_peaks, independent_parts
from tf_explainer.metrics.peaks import Peaks


def test_distinct_peaks_agree_with_sets():
    peaks = Peaks.of(random_maps(20, 40))
    expected = [
        len({unit for unit, value in zip(units, values, strict=True) if value > 0})
        for units, values in zip(peaks.units.tolist(), peaks.values, strict=True)
    ]
    assert distinct_peaks(peaks).tolist() == expected
    assert max(expected) < 40


def test_silent_filters_show_nothing():
    assert distinct_peaks(Peaks.of(np.zeros((3, 2, 2, 5)))).tolist() == [0, 0, 0]
    assert distinct_peaks(Peaks.of(np.zeros((3, 2, 2, 0)))).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("images", "filters"), [(50, 6), (6, 30)])
def test_independent_parts_agree_with_the_eigenvalues(images, filters):
    peaks = Peaks.of(random_maps(images, filters))
    chosen = peaks.live.sum(axis=0) > 1
    places, live = GRID.centres(peaks.units)[:, chosen], peaks.live[:, chosen]
    assert independent_parts(places, live) == pytest.approx(
        literal.participation_ratio(places, live), rel=1e-9
    )


def _anchors(count: int) -> np.ndarray:
    """Places of points that move freely, each on its own: exactly uncorrelated, of equal variance."""
    random = np.random.default_rng(0).normal(size=(200, 2 * count))
    orthogonal, _ = np.linalg.qr(random - random.mean(axis=0))
    return orthogonal.reshape(200, count, 2)


def test_a_rigid_constellation_is_one_part():
    offsets = np.random.default_rng(1).normal(size=(1, 43, 2))
    assert independent_parts(_anchors(1) + offsets, np.ones((200, 43), bool)) == pytest.approx(1)


def test_parts_that_move_independently_are_counted():
    assert independent_parts(_anchors(5), np.ones((200, 5), bool)) == pytest.approx(5)
    copies = np.repeat(_anchors(5), 7, axis=1)
    assert independent_parts(copies, np.ones((200, 35), bool)) == pytest.approx(5)


def test_nothing_that_moves_is_no_part():
    assert independent_parts(np.full((9, 4, 2), 0.3), np.ones((9, 4), bool)) == 0
    assert independent_parts(np.zeros((9, 0, 2)), np.zeros((9, 0), bool)) == 0
    assert independent_parts(np.random.default_rng(0).normal(size=(9, 4, 2)), np.zeros((9, 4), bool)) == 0


def test_no_image_shows_no_part():
    assert independent_parts(np.zeros((0, 5, 2)), np.zeros((0, 5), bool)) == 0
