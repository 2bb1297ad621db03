import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, SIDE, peaks_and_regions, random_landmarks, random_maps
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.part_interpretability import (
    Regions,
    StrongestUnits,
    associated,
    intersections_over_unions,
    part_association,
)


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_regions_are_those_of_all_maps_held_together(batch):
    maps = random_maps(60, 6)
    _, regions = peaks_and_regions(maps, batch)
    expected = set()
    for f in range(6):
        above = literal.threshold(maps, f)
        assert regions.thresholds[f] == np.float32(above)
        expected |= {(f, int(n), int(i * SIDE + j)) for n, i, j in np.argwhere(maps[..., f] > above)}
    found = zip(regions.filters.tolist(), regions.images.tolist(), regions.units.tolist(), strict=True)
    assert set(found) == expected
    assert len(regions.units) == len(expected)


def test_a_bound_on_the_images_may_be_generous():
    maps = random_maps(60, 6)
    exact, generous = StrongestUnits(60, SIDE**2, 6), StrongestUnits(600, SIDE**2, 6)
    exact.add(maps)
    generous.add(maps)
    np.testing.assert_array_equal(exact.regions().thresholds, generous.regions().thresholds)
    assert len(exact.regions().units) == len(generous.regions().units)


def test_half_a_per_cent_of_all_units_are_above_the_threshold():
    maps = np.random.default_rng(0).random((50, 4, 4, 3)).astype(np.float32)
    _, regions = peaks_and_regions(maps)
    assert np.bincount(regions.filters).tolist() == [4, 4, 4]


def test_too_few_units_for_half_a_per_cent_leave_no_region():
    _, regions = peaks_and_regions(random_maps(2, 3))
    assert len(regions.units) == 0


def test_overlaps_agree_with_pixel_counting():
    # All edges lie on the raster's lines, so that counting is exact.
    grid = UnitGrid(side=4, first=0.1, spacing=0.25, extent=0.4)
    random = np.random.default_rng(0)
    maps = (random.random((6, 4, 4)) < 0.2).astype(np.float32)
    boxes = np.round(random.uniform(0.2, 0.9, (6, 2, 4)) * 10) / 10
    found = intersections_over_unions(maps, boxes, grid)
    for n in range(6):
        for k in range(2):
            expected = literal.intersection_over_union(maps[n], 0.5, boxes[n, k], grid, raster=20)
            assert found[n, k] == pytest.approx(expected, abs=1e-9)


def test_a_unit_whose_square_is_the_box_overlaps_completely():
    units = np.zeros((1, SIDE, SIDE), np.float32)
    units[0, 2, 3] = 1
    y, x = GRID.centres(np.array(2 * SIDE + 3))
    boxes = np.array([[[y, x, GRID.extent, GRID.extent], [y, x, GRID.extent, GRID.extent / 4]]])
    assert intersections_over_unions(units, boxes, GRID) == pytest.approx(np.array([[1, 0.25]]))


def test_parts_that_are_not_annotated_overlap_with_nothing():
    units = np.ones((1, SIDE, SIDE), np.float32)
    assert intersections_over_unions(units, np.full((1, 2, 4), np.nan), GRID).tolist() == [[0, 0]]


def test_association_agrees_with_a_literal_loop():
    grid = UnitGrid(side=SIDE, first=0.0, spacing=0.2, extent=0.4)
    maps, boxes = random_maps(60, 5), np.round(random_landmarks(60, 2) * 10) / 10
    _, regions = peaks_and_regions(maps)
    found = part_association(associated(regions, boxes, grid), boxes)
    for f in range(5):
        for k in range(2):
            hits = []
            above = literal.threshold(maps, f)
            for n in np.flatnonzero(~np.isnan(boxes[:, k, 0])):
                overlap = literal.intersection_over_union(maps[n, ..., f], above, boxes[n, k], grid, 20)
                hits.append(overlap > 0.2)
            assert found[f, k] == pytest.approx(np.mean(hits))
    assert 0 < found.max() < 1


def test_landmarks_without_extent_have_no_association():
    boxes = np.array([[[0.5, 0.5, 0, 0], [0.5, 0.5, 0.4, 0.4]]])
    regions = Regions(
        filters=np.array([1]), images=np.array([0]), units=np.array([2 * SIDE + 2]), thresholds=np.zeros(2)
    )
    found = part_association(associated(regions, boxes, GRID), boxes)
    np.testing.assert_array_equal(found, [[np.nan, 0], [np.nan, 1]])
