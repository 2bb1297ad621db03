import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, random_maps
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.diversity import independent_parts, part_groups, peak_distances
from tf_explainer.metrics.peaks import Peaks

TEN_UNITS = UnitGrid(side=10, first=0.05, spacing=0.1, extent=0.1)


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


def test_distances_are_those_of_a_loop():
    random = np.random.default_rng(0)
    places, strength = random.uniform(size=(6, 4, 2)), random.uniform(size=(6, 4))
    strength[:, 3] = 0
    got = peak_distances(places, strength)
    weight = np.sqrt(strength / np.maximum(strength.max(axis=0), 1e-12))
    for f in range(3):
        for g in range(3):
            both = weight[:, f] * weight[:, g]
            squares = ((places[:, f] - places[:, g]) ** 2).sum(axis=-1)
            assert got[f, g] == pytest.approx(np.sqrt((both * squares).sum() / both.sum()), abs=1e-7)
    assert got[3].tolist() == [2, 2, 2, 0]


def test_filters_that_move_together_are_one_part():
    random = np.random.default_rng(0)
    head, tail = random.integers(0, 100, (2, 200))
    units = np.stack([tail, head, head, head, head, tail, np.zeros_like(head)], axis=1)
    values = np.ones(units.shape, np.float32)
    values[:, 6] = 0
    values[::2, 4] = 0  # it follows the head where it responds at all
    groups = part_groups(Peaks(values=values, units=units), TEN_UNITS)
    assert groups.tolist() == [1, 0, 0, 0, 0, 1, -1]


def test_who_shares_no_place_has_no_group():
    random = np.random.default_rng(0)
    alone, together = random.integers(0, 100, (30, 80)), random.integers(0, 100, (30, 1))
    units = np.concatenate([alone, together, together, together], axis=1)
    groups = part_groups(Peaks(values=np.ones(units.shape, np.float32), units=units), TEN_UNITS)
    assert groups.tolist() == [-1] * 80 + [0] * 3


def test_there_are_never_more_than_can_be_read():
    units = np.random.default_rng(0).integers(0, 100, (30, 50)).repeat(2, axis=1)
    units = np.concatenate([units, units[:, :40:2]], axis=1)
    groups = part_groups(Peaks(values=np.ones(units.shape, np.float32), units=units), TEN_UNITS)
    sizes = np.bincount(groups[groups >= 0]).tolist()
    assert sizes == [3] * 20 + [2] * 20


@pytest.mark.parametrize("live", [0, 1])
def test_a_single_filter_has_no_group(live):
    peaks = Peaks(values=np.full((3, 1), live, np.float32), units=np.zeros((3, 1), int))
    assert part_groups(peaks, TEN_UNITS).tolist() == [-1]
