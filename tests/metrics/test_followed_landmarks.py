"""Parts at known places: on a landmark, beside it, at a fixed place, on the border, silent."""

import math

import numpy as np
import pytest

from tests.metrics.examples import GRID, SIDE, annotations
from tests.metrics.scenes import maps_at, riders
from tf_explainer.metrics.followed_landmarks import whereabouts

NOWHERE = np.array(np.nan)  # No images without an object.


def test_a_part_is_on_what_it_finds_more_often_than_a_fixed_point():
    units, landmarks = riders()
    head, beside, legs, fixed, dead = whereabouts(maps_at(units), annotations(landmarks), GRID, NOWHERE)
    assert head.followed["fox"].landmark == "head"
    assert head.followed["fox"].found == 1
    assert legs.followed["fox"].landmark == "legs"
    for nothing in (beside, fixed, dead):
        assert nothing.followed == {}


def test_chance_is_the_best_fixed_unit_of_the_even_images_on_the_odd_ones():
    units, landmarks = riders()
    found = whereabouts(maps_at(units), annotations(landmarks), GRID, NOWHERE)[0].followed["fox"]

    def hits(unit, images):
        place = GRID.first + GRID.spacing * np.array(unit)
        return np.mean([math.dist(place, landmarks[n, 0, :2]) < 0.1 for n in images])

    best = max(np.ndindex(SIDE, SIDE), key=lambda unit: (hits(unit, range(0, 30, 2)), -unit[0], -unit[1]))
    assert found.chance == pytest.approx(hits(best, range(1, 30, 2)))


def test_shares_are_of_the_odd_images_alone():
    units, landmarks = riders()
    units[1::10, 0] = 5  # three odd images of fifteen
    assert (
        whereabouts(maps_at(units), annotations(landmarks), GRID, NOWHERE)[0].followed["fox"].found == 12 / 15
    )
    units[1::2, 0] = 5
    assert whereabouts(maps_at(units), annotations(landmarks), GRID, NOWHERE)[0].followed == {}


def test_every_category_has_a_landmark_of_its_own():
    units, landmarks = riders()
    known = annotations(np.concatenate([landmarks, landmarks]), np.repeat([0, 1], 30), ("fox", "fish"))
    # On the heads of foxes, and at a fixed place on fish.
    part = maps_at(np.concatenate([units[:, [0]], units[:, [3]]]))
    assert set(whereabouts(part, known, GRID, NOWHERE)[0].followed) == {"fox"}


def test_beside_the_object_and_on_the_border():
    # Rows look at 0.1, 0.25, ...: the box of the landmarks' extents, which ends at 0.68, holds rows 0 to 3.
    landmarks = np.tile(np.array([0.34, 0.5, 0.68, 1.0]), (20, 2, 1))
    units = np.tile(np.array([[2, 2], [4, 2], [5, 5]]), (20, 1, 1))
    units[:5, 0, 0] = 4
    on, beside, corner = whereabouts(maps_at(units), annotations(landmarks), GRID, NOWHERE)
    assert (on.outside, on.border) == (0.25, 0)
    assert (beside.outside, beside.border) == (1, 0)
    assert (corner.outside, corner.border) == (1, 1)


def test_landmarks_of_a_small_part_do_not_tell_where_the_object_ends():
    # A head and a foot of an animal that fills the crop: what is on its flank is not beside it.
    landmarks = np.tile(np.array([[0.2, 0.2, 0.1, 0.1], [0.4, 0.3, 0.1, 0.1]]), (20, 1, 1))
    (flank,) = whereabouts(maps_at(np.full((20, 1, 2), 3)), annotations(landmarks), GRID, NOWHERE)
    assert flank.followed == {}
    assert math.isnan(flank.outside)
    assert flank.border == 0


def test_a_response_without_an_object_is_compared_with_that_on_objects():
    units = np.tile(np.array([[2, 2], [2, 2], [-1, -1]]), (20, 1, 1))
    maps = maps_at(units)
    found = whereabouts(
        maps, annotations(np.zeros((20, 0, 4))), GRID, np.array([1, 0.5, 0]) * maps[..., 0].mean()
    )
    assert [each.elsewhere for each in found[:2]] == pytest.approx([1, 0.5])
    assert math.isnan(found[2].elsewhere), "it never responds"


def test_without_landmarks_the_border_is_known_and_nothing_else():
    corner, dead = whereabouts(
        maps_at(np.tile(np.array([[0, 3], [-1, -1]]), (4, 1, 1))),
        annotations(np.zeros((4, 0, 4))),
        GRID,
        NOWHERE,
    )
    assert corner.followed == {}
    assert math.isnan(corner.outside)
    assert corner.border == 1
    assert math.isnan(dead.border)
