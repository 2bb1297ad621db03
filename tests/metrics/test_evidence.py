import math

import numpy as np
import pytest

from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.evidence import SQUARE, Evidence, corners, covered

SIZE = 224
GRID = UnitGrid(side=14, first=8 / SIZE, spacing=16 / SIZE, extent=0.3)


def test_squares_cover_the_image_in_its_mean_colour():
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    images, places = list(covered(crop)), corners(SIZE).tolist()
    assert len(images) == len(places) == 49
    assert (places[0], places[-1]) == ([0, 0], [160, 160])
    for image, (row, column) in zip(images, places, strict=True):
        changed = np.zeros((SIZE, SIZE), bool)
        changed[row : row + SQUARE, column : column + SQUARE] = True
        np.testing.assert_array_equal(image[~changed], crop[~changed])
        np.testing.assert_array_equal(
            image[changed], np.broadcast_to(crop.mean(axis=(0, 1)).astype(np.uint8), (SQUARE**2, 3))
        )


def _responses(place, shown):
    """A part that responds at `shown`, as far as the image is not covered at `place`, both in pixels."""
    whole = np.zeros((14, 14, 1), np.float32)
    whole[shown[0] // 16, shown[1] // 16] = 2
    maps = np.stack([whole] * 49)
    for n, (row, column) in enumerate(corners(SIZE).tolist()):
        if row <= place[0] <= row + SQUARE and column <= place[1] <= column + SQUARE:
            maps[n] = 0
    return whole, maps


def _literal(whole, maps):
    """Distance, share at the peak, and mean share of a unit, in plain Python."""
    row, column = np.unravel_index(whole[..., 0].argmax(), (14, 14))
    lost = [max(0.0, float(whole[row, column, 0] - each[row, column, 0])) for each in maps]
    squares = [(y + SQUARE / 2, x + SQUARE / 2) for y, x in corners(SIZE).tolist()]
    centre = [sum(n * s[axis] for n, s in zip(lost, squares, strict=True)) / sum(lost) for axis in (0, 1)]

    def share(i, j):
        inside = [
            n
            for n, (y, x) in zip(lost, squares, strict=True)
            if abs(8 + 16 * i - y) <= SQUARE / 2 and abs(8 + 16 * j - x) <= SQUARE / 2
        ]
        return sum(inside) / sum(lost)

    distance = math.hypot(centre[0] - (8 + 16 * row), centre[1] - (8 + 16 * column)) / 16
    anywhere = sum(share(i, j) for i in range(14) for j in range(14)) / 196
    return distance, share(row, column), anywhere


def test_it_is_what_loops_find():
    random = np.random.default_rng(0)
    whole = random.uniform(size=(14, 14, 3)).astype(np.float32)
    maps = (whole * random.uniform(0, 1.2, (49, 14, 14, 3))).astype(np.float32)
    evidence = Evidence(SIZE, GRID)
    evidence.add(whole, maps)
    rows = [_literal(whole[..., p : p + 1], maps[..., p : p + 1]) for p in range(3)]
    distance, at_peak, anywhere = np.mean(rows, axis=0)
    found = evidence.summary()
    assert found.distance == pytest.approx(distance)
    assert found.concentration == pytest.approx(at_peak / anywhere)
    assert found.pairs == 3
    for part, (distance, at_peak, anywhere) in enumerate(rows):
        alone = evidence.summary([part])
        assert alone.distance == pytest.approx(distance)
        assert alone.concentration == pytest.approx(at_peak / anywhere)
        assert alone.pairs == 1
    assert evidence.summary([0, 2]).distance == pytest.approx((rows[0][0] + rows[2][0]) / 2)


def test_a_part_that_looks_where_it_points_has_its_evidence_there():
    there, elsewhere = Evidence(SIZE, GRID), Evidence(SIZE, GRID)
    there.add(*_responses((104, 104), shown=(104, 104)))
    elsewhere.add(*_responses((40, 40), shown=(184, 184)))
    assert there.summary().distance < 0.6
    assert there.summary().concentration > 5
    assert elsewhere.summary().distance == pytest.approx(math.hypot(9, 9), abs=1)
    assert elsewhere.summary().concentration == 0


def test_where_nothing_is_lost_there_is_no_evidence():
    evidence = Evidence(SIZE, GRID)
    evidence.add(np.zeros((14, 14, 2)), np.ones((49, 14, 14, 2)))
    assert evidence.summary().pairs == evidence.summary([1]).pairs == 0
    assert math.isnan(evidence.summary().distance)
