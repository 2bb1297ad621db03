import numpy as np
import pytest

from tf_explainer.explainer import templates


@pytest.mark.parametrize(("n", "beta"), [(3, 4.0), (5, 1.5), (7, 4.0)])
def test_templates_follow_the_formula_place_by_place(n, beta):
    matrix = templates.template_matrix(n, beta)
    assert matrix.shape == (n * n + 1, n * n)
    for mu_row in range(n):
        for mu_column in range(n):
            for row in range(n):
                for column in range(n):
                    distance = abs(row - mu_row) + abs(column - mu_column)
                    expected = max(1 - beta * distance / n, -1)
                    assert matrix[mu_row * n + mu_column, row * n + column] == pytest.approx(expected)
    np.testing.assert_array_equal(matrix[-1], -1)


@pytest.mark.parametrize("n", [1, 7, 14])
def test_prior_is_the_papers_and_sums_to_one(n):
    prior = templates.template_prior(n)
    a = n**2 / (1 + n**2)
    assert prior.sum() == pytest.approx(1)
    np.testing.assert_allclose(prior[:-1], a / n**2, rtol=1e-6)
    assert prior[-1] == pytest.approx(1 - a)


def test_a_cone_is_as_wide_as_its_own_slope_says():
    n = 41
    for beta in (1.5, 2.0, 3.0):
        cone = np.maximum(templates.positive_templates(n, beta)[n * (n // 2) + n // 2], 0)[None, ..., None]
        found = float(templates.learned_beta(templates.spread(cone)[0], n)[0])
        assert found == pytest.approx(beta, rel=0.15 if beta < 2 else 0.02), beta  # Wide ones are cut off.


def test_learned_slopes_stay_in_icnns_range():
    np.testing.assert_allclose(templates.learned_beta(np.array([0.0, 100.0], "float32"), 14), [3.0, 1.5])


def test_distance_from_the_first_of_equal_peaks():
    maps = np.zeros((1, 3, 4, 2), "float32")
    maps[0, 1, 2, 0] = 5.0
    maps[0, 2, 3, 1] = maps[0, 0, 1, 1] = 2.0
    found = np.asarray(templates.distance_from_peak(maps))[0]
    np.testing.assert_array_equal(found[..., 0], [[3, 2, 1, 2], [2, 1, 0, 1], [3, 2, 1, 2]])
    assert found[0, 1, 1] == 0
    assert found[2, 3, 1] == 4
