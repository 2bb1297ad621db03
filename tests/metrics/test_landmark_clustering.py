import math
from collections import Counter

import numpy as np
import pytest

from tests.metrics.examples import GRID, SIDE, random_landmarks, random_maps
from tf_explainer.metrics.landmark_clustering import clustering, grid_cells, strongest_parts


def _entropy(counts):
    total = sum(counts.values())
    return -sum(n / total * math.log(n / total) for n in counts.values())


def _nmi(names, clusters):
    """Mutual information over the mean of both entropies."""
    apart = _entropy(Counter(names)) + _entropy(Counter(clusters))
    return 2 * (apart - _entropy(Counter(zip(names, clusters, strict=True)))) / apart


def _ari(names, clusters):
    """Counts pairs of items, one by one."""
    pairs = [(i, j) for j in range(len(names)) for i in range(j)]
    same = [names[i] == names[j] for i, j in pairs]
    together = [clusters[i] == clusters[j] for i, j in pairs]
    both = sum(a and b for a, b in zip(same, together, strict=True))
    chance = sum(same) * sum(together) / len(pairs)
    return (both - chance) / ((sum(same) + sum(together)) / 2 - chance)


def test_it_is_what_loops_count():
    landmarks = random_landmarks(12, 3)[..., :2]
    clusters = strongest_parts(random_maps(12, 5), landmarks, GRID)
    items = [(k, clusters[n, k]) for n, k in np.ndindex(12, 3) if not math.isnan(landmarks[n, k, 0])]
    names, found = zip(*items, strict=True)
    measured = clustering(clusters, landmarks)
    assert measured.nmi == pytest.approx(_nmi(names, found))
    assert measured.ari == pytest.approx(_ari(names, found))


def test_the_strongest_part_is_what_a_loop_finds():
    maps, landmarks = random_maps(40, 5), random_landmarks(40, 3)[..., :2]
    centres = [GRID.first + GRID.spacing * i for i in range(SIDE)]
    loud = [np.quantile(maps[..., part], 0.999) for part in range(5)]
    found = strongest_parts(maps, landmarks, GRID)
    assert len(np.unique(found)) > 3
    for n, k in np.ndindex(40, 3):
        y, x = landmarks[n, k].tolist()
        if math.isnan(y):
            assert found[n, k] == -1
            continue
        row, column = (min(range(SIDE), key=lambda i: abs(centres[i] - at)) for at in (y, x))
        scaled = [maps[n, row, column, p] / loud[p] if loud[p] else 0 for p in range(5)]
        assert found[n, k] == (scaled.index(max(scaled)) if max(scaled) else -1)


def test_a_part_for_every_landmark_tells_all_names():
    landmarks = random_landmarks(30, 3)[..., :2]
    perfect = np.broadcast_to([2, 0, 1], (30, 3))
    assert (clustering(perfect, landmarks).nmi, clustering(perfect, landmarks).ari) == pytest.approx((1, 1))


def test_one_part_for_all_tells_none():
    measured = clustering(np.zeros((30, 3), int), random_landmarks(30, 3)[..., :2])
    assert (measured.nmi, measured.ari) == pytest.approx((0, 0))


def test_two_parts_that_are_swapped_on_odd_images_tell_less():
    landmarks = np.random.default_rng(0).uniform(size=(30, 2, 2))
    swapped = np.stack([np.arange(30) % 2, 1 - np.arange(30) % 2], axis=1)
    assert clustering(swapped, landmarks).nmi == pytest.approx(0, abs=1e-9)


def test_the_grid_has_sixteen_cells():
    corners = np.array([[[0.0, 0.0], [0.24, 0.26], [1.0, 1.0], [0.99, 0.0], [-0.1, 1.2], [np.nan, np.nan]]])
    assert grid_cells(corners).tolist() == [[0, 1, 15, 12, 3, -1]]


def test_without_landmarks_there_is_no_figure():
    assert math.isnan(clustering(np.zeros((3, 0), int), np.zeros((3, 0, 2))).nmi)
    assert strongest_parts(np.zeros((3, SIDE, SIDE, 0)), np.zeros((3, 2, 2)), GRID).tolist() == [[-1, -1]] * 3
