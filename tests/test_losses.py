"""The loss terms against literal loops, closed forms and finite differences."""

import math

import numpy as np
import pytest
from keras import ops

from tests.differentiation import compiled, gradient
from tf_explainer import losses, templates


@pytest.fixture
def random():
    return np.random.default_rng(7)


def literal_filter_loss(maps, n, beta, temperature):
    """Minus the mutual information by the double sum over templates and images, in float64."""
    matrix, prior = templates.template_matrix(n, beta), templates.template_prior(n)
    result = []
    for filter_maps in np.moveaxis(maps.astype("float64"), -1, 0):
        given = np.empty((len(matrix), len(filter_maps)))  # p(x|T)
        for t, template in enumerate(matrix):
            weights = [math.exp(temperature * float((x.ravel() * template).sum())) for x in filter_maps]
            given[t] = np.array(weights) / sum(weights)
        marginal = [sum(prior[t] * given[t, x] for t in range(len(matrix))) for x in range(len(filter_maps))]
        information = 0.0
        for t in range(len(matrix)):
            for x in range(len(filter_maps)):
                information += prior[t] * given[t, x] * math.log(given[t, x] / marginal[x])
        result.append(-information)
    return np.array(result)


def filter_loss(maps, n, beta=4.0, temperature=1.0):
    scores = losses.template_scores(maps, templates.template_matrix(n, beta), temperature)
    return losses.filter_loss(scores, templates.template_prior(n))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 0.5 / 16])
def test_filter_loss_is_the_double_sum(random, temperature):
    maps = np.maximum(random.normal(size=(6, 4, 4, 3)), 0).astype("float32")
    expected = literal_filter_loss(maps, 4, 4.0, temperature)
    np.testing.assert_allclose(filter_loss(maps, 4, 4.0, temperature), expected, rtol=1e-5, atol=1e-7)


def test_filter_loss_of_equal_images_is_zero():
    maps = np.ones((5, 3, 3, 2), "float32")
    np.testing.assert_allclose(filter_loss(maps, 3), 0, atol=1e-6)


def test_filter_loss_reaches_minus_log_images_where_every_template_has_its_image():
    # n^2 + 1 images: one sharp peak at each location, and a silent one. As the peaks grow, each template
    # picks its own image, p(x|T) becomes one-hot and the information is the templates' entropy.
    n = 3
    maps = np.zeros((n * n + 1, n, n, 1), "float32")
    for place in range(n * n):
        maps[place, place // n, place % n, 0] = 100.0
    assert float(filter_loss(maps, n)[0]) == pytest.approx(-math.log(n * n + 1), rel=1e-4)


def test_filter_loss_survives_huge_activations_and_half_precision(random):
    maps = 1e4 * np.abs(random.normal(size=(4, 5, 5, 2)))
    for dtype in ("float16", "bfloat16"):
        value = ops.convert_to_numpy(filter_loss(ops.cast(maps, dtype), 5))
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert (value >= -math.log(4) - 1e-4).all()
        assert (value <= 1e-5).all()


def test_filter_loss_gradient_is_the_double_sums(random):
    maps = np.maximum(random.normal(size=(3, 3, 3, 2)), 0.1).astype("float32")
    by_maps = gradient(lambda x: ops.sum(filter_loss(x, 3)), maps)
    step = 1e-5
    for index in np.ndindex(*maps.shape):
        up, down = maps.astype("float64"), maps.astype("float64")
        up[index] += step
        down[index] -= step
        difference = literal_filter_loss(up, 3, 4.0, 1.0).sum() - literal_filter_loss(down, 3, 4.0, 1.0).sum()
        assert by_maps[index] == pytest.approx(difference / (2 * step), rel=1e-3, abs=1e-5)


def test_filter_loss_gradient_has_the_closed_form(random):
    """d Loss / d <x,T> = -p(T) p(x|T) (log p(x|T)/p(x) - sum_x' p(x'|T) log p(x'|T)/p(x')).

    ICNN's gradient is this one with the inner mean dropped and Z_T, p(x) held; the chain with T gives x's.
    """
    n = 3
    matrix, prior = templates.template_matrix(n, 4.0), templates.template_prior(n)
    maps = np.maximum(random.normal(size=(4, n, n, 1)), 0).astype("float32")
    by_maps = gradient(lambda x: ops.sum(filter_loss(x, n)), maps).reshape(4, -1)

    score = maps.reshape(4, -1).astype("float64") @ matrix.T.astype("float64")
    given = np.exp(score) / np.exp(score).sum(0)
    ratio = np.log(given / (given @ prior)[:, None])
    by_score = -prior * given * (ratio - (given * ratio).sum(0))
    np.testing.assert_allclose(by_maps, by_score @ matrix, rtol=1e-4, atol=1e-6)


def test_reconstruction_is_relative_to_the_features():
    features = np.array([[3.0, 4.0], [0.0, 1.0]])
    mean_square_norm = (25 + 1) / 2
    assert losses.reconstruction_loss(features, features, mean_square_norm) == 0
    assert float(losses.reconstruction_loss(features, 0 * features, mean_square_norm)) == pytest.approx(1)
    assert float(losses.reconstruction_loss(features, 2 * features, mean_square_norm)) == pytest.approx(1)


def test_part_share_loss_is_minus_log_p():
    assert float(losses.part_share_loss(ops.convert_to_tensor(0.25))) == pytest.approx(math.log(4))


def test_soft_peaks_find_sharp_peaks_and_average_equal_ones():
    maps = np.zeros((1, 5, 5, 3), "float32")
    maps[0, 1, 3, 0] = 1e-3
    maps[0, 4, 2, 1] = 1e4
    maps[0, 0, 0, 2] = maps[0, 4, 2, 2] = 2.0
    expected = [[[1, 3], [4, 2], [2, 1]]]
    np.testing.assert_allclose(losses.soft_peaks(maps), expected, atol=1e-5)


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
        [float(x) for x in losses.rigid_losses(maps, strength, 1.5)],
        literal_rigid(maps.astype("float64"), strength.astype("float64"), 1.5),
        rtol=1e-4,
    )


def test_a_rigid_constellation_costs_nothing_and_copies_repel():
    maps = np.zeros((3, 9, 9, 2), "float32")
    for b, (row, column) in enumerate([(2, 3), (4, 1), (5, 5)]):  # two filters, always (2, 1) apart
        maps[b, row, column, 0] = 1
        maps[b, row + 2, column + 1, 1] = 1
    strength = np.ones((3, 2), "float32")
    consistency, repulsion = losses.rigid_losses(maps, strength, 1.5)
    assert float(consistency) == pytest.approx(0, abs=1e-9)
    assert float(repulsion) == pytest.approx(math.exp(-5 / (2 * 1.5**2)), rel=1e-4)
    _, copies = losses.rigid_losses(np.repeat(maps[..., :1], 2, -1), strength, 1.5)
    assert float(copies) == pytest.approx(1)


def test_silent_filters_do_not_count():
    maps = np.zeros((2, 5, 5, 2), "float32")
    maps[0, 1, 1, 0] = maps[1, 3, 3, 0] = 1.0
    consistency, _ = losses.rigid_losses(maps, maps.max((1, 2)), 1.5)
    assert float(consistency) == pytest.approx(0, abs=1e-9)


def test_losses_compile_with_xla(random):
    maps = np.maximum(random.normal(size=(4, 4, 4, 3)), 0).astype("float32")

    def total(x):
        return ops.sum(filter_loss(x, 4)) + sum(losses.rigid_losses(x, ops.max(x, (1, 2)), 1.5))

    assert float(compiled(total)(maps)) == pytest.approx(float(total(maps)), rel=1e-5)
