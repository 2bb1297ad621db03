"""The filter losses against literal loops, closed forms and finite differences."""

import math

import numpy as np
import pytest
from keras import ops

from tests.support.differentiation import compiled, gradient
from tf_explainer.explainer import filter_losses, templates


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
    scores = filter_losses.template_scores(maps, templates.template_matrix(n, beta), temperature)
    return filter_losses.filter_loss(scores, templates.template_prior(n))


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


def test_losses_compile_with_xla(random):
    maps = np.maximum(random.normal(size=(4, 4, 4, 3)), 0).astype("float32")

    def total(x):
        return ops.sum(filter_loss(x, 4))

    assert float(compiled(total)(maps)) == pytest.approx(float(total(maps)), rel=1e-5)


def literal_assigned_loss(maps, n, positive):
    """The double sum over images of the filter's category, the others being samples of T_minus alone."""
    matrix, prior = templates.template_matrix(n, 4.0), templates.template_prior(n)
    result = []
    for f, filter_maps in enumerate(np.moveaxis(maps.astype("float64"), -1, 0)):
        given = np.zeros((len(matrix), len(filter_maps)))
        for t, template in enumerate(matrix):
            for x, image in enumerate(filter_maps):
                if positive[x, f] or t == n * n:
                    given[t, x] = math.exp(float((image.ravel() * template).sum()))
            given[t] /= given[t].sum()
        marginal = prior @ given
        information = 0.0
        for t, x in np.argwhere(given > 0):
            information += prior[t] * given[t, x] * math.log(given[t, x] / marginal[x])
        result.append(-information)
    return np.array(result)


def test_images_of_other_categories_are_left_to_the_negative_template(random):
    maps = np.maximum(random.normal(size=(6, 3, 3, 2)), 0).astype("float32")
    positive = np.array([[1, 0], [1, 1], [0, 1], [1, 1], [0, 0], [1, 0]], bool)
    scores = filter_losses.template_scores(maps, templates.template_matrix(3, 4.0))
    found = filter_losses.filter_loss(scores, templates.template_prior(3), positive)
    np.testing.assert_allclose(found, literal_assigned_loss(maps, 3, positive), rtol=1e-5)
    everything = filter_losses.filter_loss(scores, templates.template_prior(3), np.ones_like(positive))
    np.testing.assert_allclose(everything, filter_loss(maps, 3), rtol=1e-6)


def test_closed_form_gradient_is_icnns_image_by_image(random):
    n = 3
    matrix, prior = templates.template_matrix(n, 4.0), templates.template_prior(n)
    maps = np.maximum(random.normal(size=(4, n, n, 2)), 0).astype("float32")
    positive = np.array([[1, 1], [0, 1], [1, 0], [1, 1]], bool)
    scores = np.asarray(filter_losses.template_scores(maps, matrix))
    log_z = random.normal(3.0, 0.3, (n * n + 1, 2)).astype("float32")
    peak = maps.reshape(4, n * n, 2).argmax(1)
    np.testing.assert_array_equal(templates.peak(maps), peak)
    found = gradient(
        lambda s: ops.sum(filter_losses.closed_form_filter_loss(s, prior, log_z, peak, positive)), scores
    )
    expected = np.zeros_like(scores)
    for b, f in np.ndindex(4, 2):
        s = scores[b, :, f].astype("float64")
        t = int(peak[b, f]) if positive[b, f] else n * n
        marginal = sum(prior[u] * math.exp(s[u] - log_z[u, f]) for u in range(n * n + 1))
        expected[b, t, f] = (
            -prior[t] * math.exp(s[t] - log_z[t, f]) * (s[t] - log_z[t, f] - math.log(marginal))
        )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


def literal_released_gradient(maps, beta, positive):
    """What ICNN's released code adds to the gradient by the maps, image by image, in its own terms.

    Places in [-1, 1]; strength is the mean of map times mask, alpha = 0.5 the size of exp's argument; tau and
    the learning rate, the same for all, are left out.
    """
    images, n, _, filters = maps.shape
    place, alpha = np.linspace(-1, 1, n), 0.5
    mask = np.empty(maps.shape)
    for b, f in np.ndindex(images, filters):
        x = maps[b, :, :, f].astype("float64")
        row = int(np.floor((x.sum(1) * np.arange(n)).sum() / x.sum() + 0.5))
        column = int(np.floor((x.sum(0) * np.arange(n)).sum() / x.sum() + 0.5))
        away = np.abs(place - place[row])[:, None] + np.abs(place - place[column])[None]
        mask[b, :, :, f] = np.maximum(1 - away * beta[f], -1)
    strength, silence = (maps * mask).mean((1, 2)), -maps.mean((1, 2), dtype="float64")
    log_z = alpha * np.log(np.exp((maps * mask[::-1, :, :, ::-1]).mean((1, 2)) / alpha).mean(0))
    log_z_silent = alpha * np.log(np.exp(silence / alpha).mean(0))
    gradient = np.zeros(maps.shape)
    for f in range(filters):
        for group, s, z, template in (
            (positive[:, f], strength, log_z, mask),
            (~positive[:, f], silence, log_z_silent, -np.ones_like(mask)),
        ):
            weight = np.exp(s[group, f] / alpha) * (s[group, f] - z[f] + alpha)
            weight /= weight.mean() * group.mean() / 0.5
            gradient[group, :, :, f] -= weight[:, None, None] * template[group, :, :, f] / images
    return gradient


def test_the_released_weighting_is_that_of_the_released_code(random):
    n = 7
    maps = random.gamma(0.3, 8.0, (10, n, n, 3)).astype("float32")
    positive = random.uniform(size=(10, 3)) < [0.5, 0.3, 0.7]
    loss = filter_losses.ReleasedCode(
        side=n, filters=3, template_beta=4.0, temperature=2 / n**2, momentum=0.9
    )
    loss(maps, positive, training=True)
    slope = np.asarray(templates.learned_beta(*np.asarray(loss.spread.value), n)) * (n - 1) / (2 * n)
    found = gradient(lambda x: ops.sum(loss(x, positive)), maps)
    expected = literal_released_gradient(maps, slope, positive) * loss.temperature
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_nearly_every_image_pulls_its_filter_to_its_template(random):
    score = random.normal(2.0, 1.0, (50, 4)).astype("float32")
    mismatched = score - np.abs(random.normal(2.0, 0.5, score.shape)).astype("float32")
    pull = -gradient(
        lambda s: ops.sum(filter_losses.released_filter_loss(s, mismatched, -np.abs(score))), score
    )
    assert (pull > 0).mean() > 0.7
    np.testing.assert_allclose(pull.sum(0), 1, rtol=1e-4)


def test_released_weights_survive_huge_scores_and_absent_categories():
    score = np.array([[1e4, 0.0], [9e3, -1e4]], "float32")
    nobody = np.zeros((2, 2), bool)
    for positive in (None, nobody, ~nobody):
        value = filter_losses.released_filter_loss(score, -score, -np.abs(score), positive)
        assert np.isfinite(np.asarray(value)).all()
