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


def test_spread_is_the_standard_deviation_about_the_rounded_centre():
    maps = np.zeros((2, 5, 5, 1), "float32")
    maps[0, 1, 1], maps[0, 1, 4] = 3.0, 1.0  # The centre of 1, 1, 1 and 4 is 1.75: unit 2.
    np.testing.assert_array_equal(templates.centre(maps)[:, :, 0], [[1, 2], [0, 0]])
    np.testing.assert_allclose(templates.spread(maps), [[np.sqrt((3 * 1 + 1 * 4) / 4)], [0]], rtol=1e-6)
    template = templates.centred_templates(maps, np.array([4.0], "float32"))
    matrix = templates.positive_templates(5, 4.0)
    np.testing.assert_allclose(template[0, :, :, 0], matrix[1 * 5 + 2], atol=1e-6)


def test_learned_slopes_stay_in_icnns_range_in_units_of_the_template():
    spread = np.array([0.0, 100.0, 1.5, 0.0], "float32")
    weight = np.array([1.0, 1.0, 1.0, 0.0], "float32")
    found = templates.learned_beta(spread, weight, 14)
    np.testing.assert_allclose(found, np.array([3.0, 1.5, 2.0, 3.0]) * 28 / 13, rtol=1e-6)


def test_distance_from_the_first_of_equal_peaks():
    maps = np.zeros((1, 3, 4, 2), "float32")
    maps[0, 1, 2, 0] = 5.0
    maps[0, 2, 3, 1] = maps[0, 0, 1, 1] = 2.0
    found = np.asarray(templates.distance_from_peak(maps))[0]
    np.testing.assert_array_equal(found[..., 0], [[3, 2, 1, 2], [2, 1, 0, 1], [3, 2, 1, 2]])
    assert found[0, 1, 1] == 0
    assert found[2, 3, 1] == 4
