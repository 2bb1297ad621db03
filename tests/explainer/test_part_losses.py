"""The terms about parts against literal loops and closed cases."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.explainer.test_cross_replica import on_replicas
from tests.support.differentiation import compiled
from tf_explainer.explainer import part_losses

MEMBERS = np.eye(2, dtype="float32")[[0, 0, 1, 1]]


@pytest.fixture
def random():
    return np.random.default_rng(7)


def points(places, side=12):
    """Maps `[B, L, L, F]` with one bright unit each, from places `[B, F, 2]`."""
    places = np.asarray(places)
    maps = np.zeros((len(places), side, side, places.shape[1]), "float32")
    for b, f in np.ndindex(*places.shape[:2]):
        maps[b, *places[b, f], f] = 1
    return maps


def test_soft_peaks_find_sharp_peaks_and_average_equal_ones():
    maps = np.zeros((1, 5, 5, 3), "float32")
    maps[0, 1, 3, 0] = 1e-3
    maps[0, 4, 2, 1] = 1e4
    maps[0, 0, 0, 2] = maps[0, 4, 2, 2] = 2.0
    expected = [[[1, 3], [4, 2], [2, 1]]]
    np.testing.assert_allclose(part_losses.soft_peaks(maps), expected, atol=1e-5)


def test_part_maps_are_the_mean_of_maps_with_a_peak_of_1(random):
    maps = random.uniform(0, 5, (3, 4, 4, 4)).astype("float32")
    maps[1, ..., 2] = 0  # A silent filter leaves the place to the others.
    found = ops.convert_to_numpy(part_losses.part_votes(maps, MEMBERS)).reshape(3, 4, 4, 2)
    for b, k in np.ndindex(3, 2):
        scaled = [maps[b, ..., f] / max(maps[b, ..., f].max(), 1e-12) for f in (2 * k, 2 * k + 1)]
        np.testing.assert_allclose(found[b, ..., k], sum(scaled) / 2, rtol=1e-5)


def test_consensus_is_the_weighted_spread_about_the_groups_centre(random):
    places = random.integers(0, 12, (5, 4, 2))
    strength = random.uniform(0.5, 2, (5, 4)).astype("float32")
    expected = 0.0
    for b, f in np.ndindex(5, 4):
        group = [f - f % 2, f - f % 2 + 1]
        centre = sum(strength[b, g] * places[b, g] for g in group) / strength[b, group].sum()
        expected += strength[b, f] * ((places[b, f] - centre) ** 2).sum() / 12 / strength.sum()
    found = float(part_losses.consensus_loss(points(places), strength, MEMBERS))
    assert found == pytest.approx(expected, rel=1e-4)


def test_members_in_one_place_agree_and_members_at_an_offset_do_not(random):
    leader = random.integers(0, 9, (6, 2, 2)).repeat(2, axis=1)
    ones = np.ones((6, 4), "float32")
    assert float(part_losses.consensus_loss(points(leader), ones, MEMBERS)) == pytest.approx(0, abs=1e-6)
    beside = leader + np.array([[0, 0], [2, 0], [0, 0], [0, 2]])
    assert float(part_losses.consensus_loss(points(beside), ones, MEMBERS)) == pytest.approx(1 / 12, rel=1e-4)


def test_filters_in_no_group_do_not_count(random):
    places = random.integers(0, 12, (5, 4, 2))
    ones = np.ones((5, 4), "float32")
    assert float(part_losses.consensus_loss(points(places), ones, 0 * MEMBERS)) == 0
    without = part_losses.consensus_loss(points(places[:, :2]), ones[:, :2], MEMBERS[:2, :1])
    members = MEMBERS * np.array([1, 0], "float32")
    found = part_losses.consensus_loss(points(places), ones, members)
    assert float(found) == pytest.approx(float(without), rel=1e-5)


def test_competition_is_the_mean_cosine_of_the_groups_maps(random):
    parts = random.uniform(0, 1, (4, 9, 3)).astype("float32")
    weight = np.array([1.0, 0.0, 2.0, 1.0], "float32")
    expected = 0.0
    for b in range(4):
        pairs = [(k, j) for k in range(3) for j in range(3) if k != j]
        cosines = [
            parts[b, :, k] @ parts[b, :, j] / np.linalg.norm(parts[b, :, k]) / np.linalg.norm(parts[b, :, j])
            for k, j in pairs
        ]
        expected += weight[b] * np.mean(cosines) / weight.sum()
    assert float(part_losses.competition_loss(parts, weight)) == pytest.approx(expected, rel=1e-4)
    assert float(part_losses.competition_loss(parts[..., :1], weight)) == 0


def test_the_prototype_loss_is_0_where_part_and_prototype_show_the_same(random):
    responsibilities = random.uniform(0, 1, (3, 4, 4, 2)).astype("float32")
    same = 3 * responsibilities.reshape(3, 16, 2)
    ones = np.ones(3, "float32")
    assert float(part_losses.prototype_loss(same, responsibilities, ones)) == pytest.approx(0, abs=1e-6)
    parts, weight = random.uniform(0, 1, (3, 16, 2)).astype("float32"), np.array([1.0, 0.0, 3.0], "float32")
    total = expected = 0.0
    for b, k in np.ndindex(3, 2):
        a, r = parts[b, :, k], responsibilities[b, ..., k].ravel()
        present = weight[b] * r.max()
        expected += present * (1 - a @ r / np.linalg.norm(a) / np.linalg.norm(r))
        total += present
    found = float(part_losses.prototype_loss(parts, responsibilities, weight))
    assert found == pytest.approx(expected / total, rel=1e-4)


def all_terms(maps):
    parts = part_losses.part_votes(maps, MEMBERS)
    weight = ops.ones_like(parts[:, 0, 0])
    target = ops.reshape(ops.square(parts), (-1, *maps.shape[1:3], 2))
    return (
        part_losses.consensus_loss(maps, ops.max(maps, (1, 2)), MEMBERS)
        + part_losses.competition_loss(parts, weight)
        + part_losses.prototype_loss(parts, target, weight)
    )


def test_the_terms_compile_with_xla(random):
    maps = np.maximum(random.normal(size=(4, 4, 4, 4)), 0).astype("float32")
    assert float(compiled(all_terms)(maps)) == pytest.approx(float(all_terms(maps)), rel=1e-4)


def test_the_shares_of_two_replicas_sum_to_the_whole(random):
    maps = np.maximum(random.normal(size=(5, 4, 4, 4)), 0).astype("float32")
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    shares = on_replicas(two, all_terms, (maps[:3], maps[3:]))
    assert sum(map(float, shares)) == pytest.approx(float(all_terms(maps)), rel=1e-4)


def test_silent_maps_give_finite_terms():
    assert np.isfinite(float(all_terms(np.zeros((2, 4, 4, 4), "float32"))))
