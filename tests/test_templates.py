import numpy as np
import pytest

from tf_explainer import templates


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
