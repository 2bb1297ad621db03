"""Constellations against literal loops and made-up movements."""

import math

import numpy as np
import pytest
from keras import ops

from tests.differentiation import compiled
from tf_explainer.explainer import constellations


@pytest.fixture
def random():
    return np.random.default_rng(7)


def terms(maps, strength, members, width=1.5, independence_width=1.5):
    found = constellations.constellation_losses(maps, strength, members, width, independence_width)
    return {name: float(value) for name, value in found.items()}


def rigid(maps, strength):
    """Consistency and repulsion of one constellation."""
    found = terms(maps, strength, constellations.members(maps.shape[-1], 1))
    assert found["independence"] == 0
    return found["consistency"], found["repulsion"]


def points(places, side=12):
    """Maps `[B, L, L, F]` with one bright unit each, from places `[B, F, 2]`."""
    places = np.asarray(places)
    maps = np.zeros((len(places), side, side, places.shape[1]), "float32")
    for b, f in np.ndindex(*places.shape[:2]):
        maps[b, *places[b, f], f] = 1
    return maps


def test_filters_are_dealt_out_in_turn():
    np.testing.assert_array_equal(constellations.members(5, 2), [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]])


def test_each_constellation_has_an_anchor_of_its_own(random):
    """Two filters that keep their offset are consistent among themselves, whatever the others do."""
    pair, others = random.integers(0, 9, (6, 1, 2)), random.integers(0, 9, (6, 1, 2))
    places = np.concatenate([pair, others, pair + np.array([2, 1]), others + np.array([0, 3])], axis=1)
    apart = terms(points(places), np.ones((6, 4)), constellations.members(4, 2))
    assert apart["consistency"] == pytest.approx(0, abs=1e-6)
    expected = (math.exp(-5 / 4.5) + math.exp(-9 / 4.5)) / 2
    assert apart["repulsion"] == pytest.approx(expected, rel=1e-4)
    together = terms(points(places), np.ones((6, 4)), constellations.members(4, 1))
    assert together["consistency"] > 0.1


def test_independence_is_the_literal_variance_of_the_anchors_distance(random):
    places = random.integers(0, 12, (7, 4, 2))
    strength = random.uniform(0.5, 2, (7, 4))
    anchors = np.zeros((7, 2, 2))
    for b, g in np.ndindex(7, 2):
        w = strength[b, g::2]
        anchors[b, g] = (w[:, None] * places[b, g::2]).sum(0) / w.sum()
    seen = np.minimum(strength[:, 0::2].sum(1), strength[:, 1::2].sum(1))
    apart = anchors[:, 0] - anchors[:, 1]
    mean = (seen[:, None] * apart).sum(0) / seen.sum()
    variance = (seen * ((apart - mean) ** 2).sum(1)).sum() / seen.sum()
    found = terms(points(places), strength, constellations.members(4, 2), independence_width=3.0)
    assert found["independence"] == pytest.approx(math.exp(-variance / 18), rel=1e-4)


def test_a_constellation_that_rides_on_another_is_not_independent(random):
    leader = random.integers(0, 8, (20, 1, 2))
    riding = np.concatenate([leader, leader + np.array([3, 2])], axis=1)
    roaming = np.concatenate([leader, random.integers(0, 12, (20, 1, 2))], axis=1)
    members = constellations.members(2, 2)
    assert terms(points(riding), np.ones((20, 2)), members)["independence"] == pytest.approx(1, abs=1e-5)
    assert terms(points(roaming), np.ones((20, 2)), members)["independence"] < 0.05


def test_constellations_compile_with_xla(random):
    maps = np.maximum(random.normal(size=(4, 4, 4, 6)), 0).astype("float32")
    members = constellations.members(6, 2)

    def total(x):
        return sum(constellations.constellation_losses(x, ops.max(x, (1, 2)), members, 1.5, 1.5).values())

    assert float(compiled(total)(maps)) == pytest.approx(float(total(maps)), rel=1e-4)


def test_soft_peaks_find_sharp_peaks_and_average_equal_ones():
    maps = np.zeros((1, 5, 5, 3), "float32")
    maps[0, 1, 3, 0] = 1e-3
    maps[0, 4, 2, 1] = 1e4
    maps[0, 0, 0, 2] = maps[0, 4, 2, 2] = 2.0
    expected = [[[1, 3], [4, 2], [2, 1]]]
    np.testing.assert_allclose(constellations.soft_peaks(maps), expected, atol=1e-5)


def literal_rigid(maps, strength, width):
    images, n, _, filters = maps.shape
    mu = np.zeros((images, filters, 2))
    for b in range(images):
        for f in range(filters):
            mass = maps[b, :, :, f] ** 3
            for i in range(n):
                for j in range(n):
                    mu[b, f] += mass[i, j] / mass.sum() * np.array([i, j])
    offset = np.zeros_like(mu)
    for b in range(images):
        centre = sum(strength[b, f] * mu[b, f] for f in range(filters)) / strength[b].sum()
        offset[b] = mu[b] - centre
    place = np.stack(
        [
            sum(strength[b, f] * offset[b, f] for b in range(images)) / strength[:, f].sum()
            for f in range(filters)
        ]
    )
    consistency = 0.0
    for b in range(images):
        for f in range(filters):
            consistency += strength[b, f] * ((offset[b, f] - place[f]) ** 2).sum() / n / strength.sum()
    pairs = [
        math.exp(-((place[f] - place[g]) ** 2).sum() / (2 * width**2))
        for f in range(filters)
        for g in range(filters)
        if f != g
    ]
    return consistency, sum(pairs) / len(pairs)


def test_rigid_terms_are_the_literal_sums(random):
    maps = random.uniform(0.1, 1, (4, 5, 5, 3)).astype("float32")
    strength = random.uniform(0.5, 2, (4, 3)).astype("float32")
    np.testing.assert_allclose(
        rigid(maps, strength),
        literal_rigid(maps.astype("float64"), strength.astype("float64"), 1.5),
        rtol=1e-4,
    )


def test_a_rigid_constellation_costs_nothing_and_copies_repel():
    maps = np.zeros((3, 9, 9, 2), "float32")
    for b, (row, column) in enumerate([(2, 3), (4, 1), (5, 5)]):  # two filters, always (2, 1) apart
        maps[b, row, column, 0] = 1
        maps[b, row + 2, column + 1, 1] = 1
    strength = np.ones((3, 2), "float32")
    consistency, repulsion = rigid(maps, strength)
    assert float(consistency) == pytest.approx(0, abs=1e-9)
    assert float(repulsion) == pytest.approx(math.exp(-5 / (2 * 1.5**2)), rel=1e-4)
    _, copies = rigid(np.repeat(maps[..., :1], 2, -1), strength)
    assert float(copies) == pytest.approx(1)


def test_silent_filters_do_not_count():
    maps = np.zeros((2, 5, 5, 2), "float32")
    maps[0, 1, 1, 0] = maps[1, 3, 3, 0] = 1.0
    consistency, _ = rigid(maps, maps.max((1, 2)))
    assert float(consistency) == pytest.approx(0, abs=1e-9)
