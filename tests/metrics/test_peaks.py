import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, SIDE, random_maps
from tf_explainer.images.unit_grid import ReceptiveField, UnitGrid
from tf_explainer.metrics.peaks import Peaks


def test_peaks_are_those_of_a_search_through_each_map():
    maps = random_maps(9, 5)
    peaks = Peaks.of(maps)
    for n in range(9):
        for f in range(5):
            value, row, column = literal.peak(maps[n, :, :, f])
            assert peaks.values[n, f] == pytest.approx(value)
            assert divmod(int(peaks.units[n, f]), SIDE) == (row, column)


def test_batches_join_to_the_whole():
    maps = random_maps(9, 5)
    whole, joined = Peaks.of(maps), Peaks.joined([Peaks.of(maps[:4]), Peaks.of(maps[4:])])
    np.testing.assert_array_equal(joined.values, whole.values)
    np.testing.assert_array_equal(joined.units, whole.units)


def test_half_precision_maps_are_taken_as_they_are():
    maps = random_maps(4, 3).astype(np.float16)
    np.testing.assert_array_equal(Peaks.of(maps).values, maps.max(axis=(1, 2)).astype(np.float32))


def test_a_filter_is_dead_only_if_it_never_responds():
    assert Peaks.of(random_maps(9, 5)).dead.tolist() == [True, False, False, False, False]


def test_strongest_keeps_the_highest_live_peaks_and_the_earlier_of_equals():
    values = np.array([[1, 0, 2], [3, 0, 2], [2, 0, 2], [0, 4, 0]], np.float32)
    peaks = Peaks(values=values, units=np.zeros((4, 3), np.int32))
    expected = [[False, False, True], [True, False, True], [True, False, False], [False, True, False]]
    assert peaks.strongest(2).tolist() == expected
    assert peaks.strongest(np.array([1, 0, 9])).sum(axis=0).tolist() == [1, 0, 3]


def test_select_takes_images_and_filters():
    peaks = Peaks.of(random_maps(9, 5))
    chosen = peaks.select(np.array([2, 5]), np.array([False, False, True, False, True]))
    np.testing.assert_array_equal(chosen.values, peaks.values[[2, 5]][:, [2, 4]])
    np.testing.assert_array_equal(chosen.units, peaks.units[[2, 5]][:, [2, 4]])


def test_units_look_at_the_centres_of_their_receptive_fields():
    grid = UnitGrid.of(ReceptiveField(size=196, stride=16, centre=8), image_size=224, side=14)
    np.testing.assert_allclose(
        grid.centres(np.array([0, 13, 14 * 13])), np.array([[8, 8], [8, 216], [216, 8]]) / 224
    )


def test_a_unit_effectively_sees_less_than_its_receptive_field():
    def extent(size: float) -> float:
        return 224 * UnitGrid.of(ReceptiveField(size=size, stride=1, centre=1), 224, 1).extent

    assert extent(195) == pytest.approx(72, abs=2)
    assert extent(99) == pytest.approx(52, abs=2)
    assert extent(9) == 9


def test_centres_keep_the_shape_of_the_units():
    assert GRID.centres(np.zeros((3, 4), int)).shape == (3, 4, 2)


def test_the_nearest_unit_is_what_a_loop_finds():
    places = np.random.default_rng(0).uniform(-0.2, 1.2, (50, 2))
    centres = [GRID.first + GRID.spacing * i for i in range(SIDE)]
    for place, found in zip(places.tolist(), GRID.units_at(places).tolist(), strict=True):
        assert found == [min(range(SIDE), key=lambda i: abs(centres[i] - at)) for at in place]
