import math

import numpy as np
import pytest

from tf_explainer.metrics.pck import best_pointer, is_near


def _literal(places, live, landmark):
    """Chooses on even images and measures on odd ones, in plain Python."""

    def hits(candidate, parity):
        found = []
        for n, (y, x) in enumerate(landmark.tolist()):
            if n % 2 == parity and not math.isnan(y):
                there = places[n, candidate]
                found.append(bool(live[n, candidate]) and math.hypot(there[0] - y, there[1] - x) < 0.1)
        return found

    best = max(range(places.shape[1]), key=lambda candidate: sum(hits(candidate, 0)))
    odd = hits(best, 1)
    return best, sum(odd) / len(odd), len(odd)


def _measured(places, live, landmark):
    return best_pointer(is_near(places, live, landmark), ~np.isnan(landmark[:, 0]))


@pytest.fixture(name="landmark")
def _landmark():
    landmark = np.random.default_rng(0).uniform(0.2, 0.8, (80, 2))
    landmark[::7] = np.nan
    return landmark


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_loops_find(landmark, seed):
    random = np.random.default_rng(seed)
    places = np.nan_to_num(landmark)[:, None] + random.normal(0, 0.1, (80, 12, 2))
    live = random.random((80, 12)) < 0.8
    found = _measured(places, live, landmark)
    best, pck, images = _literal(places, live, landmark)
    assert (found.chosen, found.images) == (best, images)
    assert found.pck == pytest.approx(pck)


def test_a_perfect_part_is_always_right(landmark):
    places = np.stack([np.full((80, 2), 0.5), np.nan_to_num(landmark)], axis=1)
    found = _measured(places, np.ones((80, 2), bool), landmark)
    assert (found.pck, found.chosen) == (1.0, 1)


def test_a_fixed_point_is_right_where_the_landmark_happens_to_be(landmark):
    found = _measured(np.full((1, 1, 2), 0.5), np.ones((1, 1), bool), landmark)
    odd = landmark[1::2][~np.isnan(landmark[1::2, 0])]
    assert found.pck == pytest.approx(np.mean(np.hypot(*(odd - 0.5).T) < 0.1))
    assert found.pck < 0.2


@pytest.mark.parametrize(("offset", "pck"), [(0.09, 1.0), (0.11, 0.0)])
def test_an_offset_does_not_count_as_the_part(landmark, offset, pck):
    places = np.nan_to_num(landmark)[:, None] + (0, offset)
    assert _measured(places, np.ones((80, 1), bool), landmark).pck == pck


def test_parts_that_are_swapped_on_odd_images_are_never_right(landmark):
    places = np.stack([np.nan_to_num(landmark), np.nan_to_num(landmark) + 0.5], axis=1)
    places[1::2] = places[1::2, ::-1]
    assert _measured(places, np.ones((80, 2), bool), landmark).pck == 0


def test_silence_points_nowhere(landmark):
    assert _measured(np.nan_to_num(landmark)[:, None], np.zeros((80, 1), bool), landmark).pck == 0


def test_nothing_to_choose_from_is_no_figure(landmark):
    assert math.isnan(_measured(np.zeros((80, 0, 2)), np.zeros((80, 0), bool), landmark).pck)
    nowhere = _measured(np.zeros((80, 1, 2)), np.ones((80, 1), bool), np.full((80, 2), np.nan))
    assert (math.isnan(nowhere.pck), nowhere.chosen, nowhere.images) == (True, -1, 0)
