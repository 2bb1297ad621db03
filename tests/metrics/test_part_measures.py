import math

import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, annotations, random_landmarks, random_maps
from tests.metrics.scenes import maps_at, riders
from tf_explainer.metrics.part_measures import measure_parts
from tf_explainer.metrics.peaks import Peaks

NO_PERFORMER = Peaks.of(np.zeros((30, 6, 6, 2), np.float32))


def test_riders_are_parts():
    """On the head, beside it, on the legs, at a fixed place, dead."""
    units, landmarks = riders()
    found = measure_parts(maps_at(units), NO_PERFORMER, annotations(landmarks), GRID, 100)
    head, legs = found.landmarks["head"], found.landmarks["legs"]
    assert (found.count, head.images, legs.images) == (5, 15, 15)
    assert (head.pck.value, head.pck.chosen) == (1.0, (0,))
    assert (legs.pck.value, legs.pck.chosen) == (1.0, (2,))
    assert head.pck_performer.value == 0
    assert head.pck_fixed_point.value < 0.3
    assert head.ratio.value == pytest.approx(0, abs=1e-12)
    assert head.ratio.chosen in ((0,), (1,))
    places = GRID.first + GRID.spacing * units[:, :3]
    expected = literal.participation_ratio(places, np.ones((30, 3), bool))
    assert found.independent_parts == pytest.approx(expected)


def test_a_part_at_an_offset_rides_on_the_landmark_but_is_not_there():
    units, landmarks = riders()
    found = measure_parts(maps_at(units[:, 1:2]), NO_PERFORMER, annotations(landmarks), GRID, 100)
    assert found.landmarks["head"].pck.value == 0
    assert found.landmarks["head"].ratio.value == pytest.approx(0, abs=1e-12)


def test_the_performers_filters_are_measured_beside_them():
    units, landmarks = riders()
    nothing = np.zeros((30, 6, 6, 1), np.float32)
    found = measure_parts(nothing, Peaks.of(maps_at(units)), annotations(landmarks), GRID, 100)
    assert found.landmarks["legs"].pck_performer.value == 1
    assert found.landmarks["legs"].pck_performer.chosen == (2,)
    assert found.landmarks["legs"].pck.value == 0
    assert math.isnan(found.landmarks["legs"].ratio.value)


def test_ratios_are_those_of_literal_loops():
    maps, landmarks = random_maps(60, 10), random_landmarks(60, 2)
    performer = Peaks.of(random_maps(60, 3))
    found = measure_parts(maps, performer, annotations(landmarks), GRID, 8)
    for k, name in enumerate(("head", "legs")):
        ratios = [
            literal.ratio(literal.responses(maps, landmarks, range(60), f, k, GRID)[:8]) for f in range(10)
        ]
        assert found.landmarks[name].ratio.value == pytest.approx(literal.lowest(ratios), abs=1e-6)


def test_every_category_has_its_best_part():
    units, landmarks = riders()
    labels = np.repeat([0, 1], 30)
    # Part 0 is on the heads of foxes, part 1 on those of fish.
    swapped = np.concatenate([units[:, [0, 3]], units[:, [3, 0]]])
    known = annotations(np.concatenate([landmarks, landmarks]), labels, ("fox", "fish"))
    performer = Peaks.of(np.zeros((60, 6, 6, 2), np.float32))
    head = measure_parts(maps_at(swapped), performer, known, GRID, 100).landmarks["head"]
    assert (head.pck.value, head.pck.chosen, head.images) == (1.0, (0, 1), 30)
    assert head.ratio.chosen == (0, 1)


def test_instability_is_the_mean_over_categories():
    units, landmarks = riders()
    random = np.random.default_rng(0).integers(0, 6, units.shape)
    both = [
        measure_parts(maps_at(each), NO_PERFORMER, annotations(landmarks), GRID, 100).own_instability
        for each in (units, random)
    ]
    assert both[0].parts < both[1].parts
    known = annotations(np.concatenate([landmarks, landmarks]), np.repeat([0, 1], 30), ("fox", "fish"))
    performer = Peaks.of(np.zeros((60, 6, 6, 2), np.float32))
    found = measure_parts(maps_at(np.concatenate([units, random])), performer, known, GRID, 100)
    assert found.own_instability.parts == pytest.approx((both[0].parts + both[1].parts) / 2)


@pytest.mark.parametrize("parts", [0, 2])
def test_without_landmarks_nothing_is_measured(parts):
    known = annotations(np.zeros((30, 0, 4)))
    found = measure_parts(np.zeros((30, 6, 6, parts), np.float32), NO_PERFORMER, known, GRID, 100)
    assert found.landmarks == {}
    assert math.isnan(found.names.nmi)
    assert math.isnan(found.independent_parts)
    assert math.isnan(found.own_instability.parts)


def test_without_parts_only_the_others_are_measured():
    _, landmarks = riders()
    found = measure_parts(np.zeros((30, 6, 6, 0)), NO_PERFORMER, annotations(landmarks), GRID, 100)
    assert math.isnan(found.landmarks["head"].pck.value)
    assert found.landmarks["head"].pck_fixed_point.value >= 0
