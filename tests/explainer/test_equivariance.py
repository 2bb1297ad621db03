"""The equivariance of peaks against what the views really do."""

import numpy as np
import pytest
from keras import ops

from tests.support.differentiation import gradient
from tf_explainer.explainer import equivariance, part_losses
from tf_explainer.features import views
from tf_explainer.images.unit_grid import ReceptiveField

SIDE = 7
SAME, FLIP = [1.0, 0.0, 1.0, 0.0], [1.0, 0.0, -1.0, SIDE - 1.0]


@pytest.fixture
def maps():
    """Smooth peaks of three filters on four images, none at the edge."""
    random = np.random.default_rng(0)
    places = random.uniform(1.5, SIDE - 2.5, (4, 3, 2))
    units = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1)
    apart = ((units[None, :, :, None] - places[:, None, None]) ** 2).sum(-1)
    return np.exp(-apart).astype("float32")


def pairs(first, second):
    """Images and their views, one after the other."""
    return np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def loss(maps, affine, strength=None):
    strength = np.ones((len(maps), maps.shape[-1]), "float32") if strength is None else strength
    return float(equivariance.equivariance_loss(maps, strength, np.asarray(affine, "float32")))


def affine_of(*views, images=4):
    return np.tile(np.array(views, "float32")[None], (images, 1, 1))


def test_what_moves_with_the_view_costs_nothing(maps):
    assert loss(pairs(maps, maps[:, :, ::-1]), affine_of(SAME, FLIP)) == pytest.approx(0, abs=1e-5)
    moved = np.roll(maps, (1, -1), (1, 2))
    assert loss(pairs(maps, moved), affine_of(SAME, [1, 1, 1, -1])) < 0.05  # Edges wrap round.


def test_what_stays_behind_costs_its_distance_squared(maps):
    affine = affine_of(SAME, [1.0, 2.0, 1.0, 0.0])
    expected = []
    for image in maps:
        for f in range(3):
            mass = image[..., f].astype(float) ** 3
            rows, _ = np.mgrid[:SIDE, :SIDE]
            row = float((mass * rows).sum() / mass.sum())
            if row + 2 <= SIDE - 0.5:
                expected.append(4.0 / SIDE)
    assert len(expected) > 6
    assert loss(pairs(maps, maps), affine) == pytest.approx(np.mean(expected), rel=1e-3)


def test_weak_responses_and_peaks_that_leave_the_view_do_not_count(maps):
    strength = np.ones((8, 3), "float32")
    strength[1::2, 1] = 0
    still = pairs(maps, maps)
    wrong = still.copy()
    wrong[1::2, ..., 1] = maps[:, ::-1, ::-1, 1]
    assert loss(wrong, affine_of(SAME, SAME), strength) == pytest.approx(
        loss(still, affine_of(SAME, SAME), strength), abs=1e-6
    )
    assert loss(still, affine_of(SAME, [1.0, 3.0 * SIDE, 1.0, 0.0])) == 0


def test_several_views_are_a_mean(maps):
    both = np.stack([maps, maps, maps[:, :, ::-1]], axis=1).reshape(-1, SIDE, SIDE, 3)
    one = loss(pairs(maps, maps), affine_of(SAME, [1.0, 1.0, 1.0, 0.0]))
    assert loss(both, affine_of(SAME, [1.0, 1.0, 1.0, 0.0], FLIP)) == pytest.approx(one / 2, rel=1e-3)


def test_the_gradient_moves_peaks_to_where_the_view_takes_them(maps):
    still = pairs(maps, maps)
    affine = affine_of(SAME, [1.0, 0.0, 1.0, 1.0])
    strength = np.ones((8, 3), "float32")
    slope = gradient(lambda x: equivariance.equivariance_loss(x, strength, affine), still)
    before = ops.convert_to_numpy(part_losses.soft_peaks(still))
    after = ops.convert_to_numpy(part_losses.soft_peaks(np.maximum(still - 0.1 * np.asarray(slope), 0)))
    assert ((after - before)[1::2, :, 1] > 0).all()
    assert ((after - before)[::2, :, 1] < 0).all()


def test_affine_maps_in_units_are_those_of_the_units_centres():
    field, size = ReceptiveField(size=40, stride=12.0, centre=9.5), 100
    matrix, vector = views.in_units(field, size)
    affine = np.array([0.8, 0.1, -1.0, 1.0], "float32")
    scale_y, offset_y, scale_x, offset_x = affine @ matrix + vector
    for unit in (0, 3, 6):
        centre = (9.5 + 12 * unit) / size
        for scale, offset, (by, to) in (
            (scale_y, offset_y, (0.8, 0.1)),
            (scale_x, offset_x, (-1.0, 1.0)),
        ):
            moved = (9.5 + 12 * (scale * unit + offset)) / size
            assert moved == pytest.approx(by * centre + to, abs=1e-5)
