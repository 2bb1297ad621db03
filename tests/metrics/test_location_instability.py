import math
import statistics

import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, random_landmarks, random_maps
from tf_explainer.metrics.location_instability import (
    fixed_centre_instability,
    location_instability,
    own_instability,
)
from tf_explainer.metrics.peaks import Peaks


@pytest.mark.parametrize("top", [1, 5, 100])
def test_agrees_with_a_literal_loop(top):
    maps, landmarks = random_maps(30, 8), random_landmarks(30, 1)
    annotated = ~np.isnan(landmarks[:, 0, 0])
    peaks = Peaks.of(maps[annotated])
    found = location_instability(GRID.centres(peaks.units), landmarks[annotated, 0, :2], peaks.strongest(top))
    expected = [
        literal.instability(literal.responses(maps, landmarks, range(30), f, 0, GRID)[:top]) for f in range(8)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_two_images_at_distances_0_and_half_a_diagonal():
    places = np.array([[[0.2, 0.2]], [[0.0, 0.0]]])
    landmark = np.array([[0.2, 0.2], [0.5, 0.5]])
    found = location_instability(places, landmark, np.ones((2, 1), bool))
    assert found == pytest.approx([0.5 / math.sqrt(2)])


def test_a_filter_at_a_fixed_distance_has_none():
    landmark = np.random.default_rng(0).uniform(size=(9, 2))
    found = location_instability(landmark[:, None] + [0.1, -0.2], landmark, np.ones((9, 1), bool))
    assert found == pytest.approx([0], abs=1e-12)


def test_the_fixed_centre_is_a_filter_that_peaks_there_on_every_image():
    landmarks = random_landmarks(30, 2)[..., :2]
    expected = []
    for k in range(2):
        annotated = landmarks[~np.isnan(landmarks[:, k, 0]), k]
        everywhere = np.ones((len(annotated), 1), bool)
        expected += location_instability(np.full((len(annotated), 1, 2), 0.5), annotated, everywhere).tolist()
    assert fixed_centre_instability(landmarks) == pytest.approx(expected)


def test_a_landmark_annotated_once_has_no_fixed_centre_instability():
    landmarks = np.full((3, 1, 2), np.nan)
    landmarks[1] = 0.3
    assert np.isnan(fixed_centre_instability(landmarks)).all()


def test_each_part_is_measured_against_the_landmark_that_was_chosen_on_other_images():
    maps, landmarks = random_maps(41, 5), random_landmarks(41, 3)
    peaks = Peaks.of(maps)
    found = own_instability(peaks, GRID.centres(peaks.units), landmarks[..., :2], 6)
    of_parts, of_centre = [], []
    for part in range(2, 5):  # The first is dead, and the second responds once.
        chosen, measured = (
            [
                literal.instability(literal.responses(maps, landmarks, images, part, k, GRID)[:6])
                for k in range(3)
            ]
            for images in (range(0, 41, 2), range(1, 41, 2))
        )
        own = chosen.index(min(chosen))
        of_parts.append(measured[own])
        away = [math.dist(place, (0.5, 0.5)) / math.sqrt(2) for place in landmarks[1::2, own, :2]]
        of_centre.append(statistics.stdev(each for each in away if not math.isnan(each)))
    assert found.parts == pytest.approx(statistics.median(of_parts))
    assert found.fixed_centre == pytest.approx(statistics.median(of_centre))


def test_a_part_that_rides_on_the_tail_is_not_measured_against_the_head():
    random = np.random.default_rng(0)
    units, landmarks = random.integers(0, 6, (30, 2)), random.uniform(size=(30, 2, 2))
    landmarks[:, 1] = GRID.first + GRID.spacing * units
    peaks = Peaks(values=np.ones((30, 1), np.float32), units=(units @ [6, 1])[:, None].astype(np.int32))
    found = own_instability(peaks, GRID.centres(peaks.units), landmarks, 100)
    assert found.parts == pytest.approx(0, abs=1e-6)
    assert found.fixed_centre > 0.05


@pytest.mark.parametrize(("parts", "landmarks"), [(0, 2), (2, 0)])
def test_without_parts_or_landmarks_nothing_is_measured(parts, landmarks):
    peaks = Peaks.of(np.ones((8, 6, 6, parts), np.float32))
    found = own_instability(peaks, GRID.centres(peaks.units), np.zeros((8, landmarks, 2)), 100)
    assert math.isnan(found.parts)
    assert math.isnan(found.fixed_centre)
