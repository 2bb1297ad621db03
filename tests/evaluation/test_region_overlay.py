import numpy as np
import pytest

from tf_explainer.evaluation.region_overlay import overlay, upsampled
from tf_explainer.images.unit_grid import UnitGrid

GRID = UnitGrid(side=4, first=0.125, spacing=0.25, extent=0.4)
COLOUR = (0, 255, 0)


def test_interpolation_is_exact_at_the_centres_and_between():
    activations = np.arange(16.0).reshape(4, 4)
    values = upsampled(activations, GRID, 12)  # Centres lie on pixels 1, 4, 7, 10.
    np.testing.assert_allclose(values[1::3, 1::3], activations)
    np.testing.assert_allclose(values[1, 1:5], [0, 1 / 3, 2 / 3, 1])


def test_interpolation_stays_constant_beyond_the_outermost_centres():
    values = upsampled(np.arange(16.0).reshape(4, 4), GRID, 12)
    np.testing.assert_allclose(values[0], values[1])
    np.testing.assert_allclose(values[:, 11], values[:, 10])


@pytest.fixture(name="picture")
def _picture():
    activations = np.zeros((4, 4))
    activations[1, 1] = 1
    crop = np.full((30, 30, 3), 200, np.uint8)
    return np.asarray(overlay(crop, activations, 0.2, GRID, size=80, colour=COLOUR), int)


def test_the_region_keeps_its_light_and_the_rest_loses_it(picture):
    assert picture.shape == (80, 80, 3)
    assert picture[30, 30].tolist() == [200, 200, 200]  # The centre of unit (1, 1).
    assert picture[70, 70].max() < 100


def test_the_region_is_outlined(picture):
    outlined = (picture == COLOUR).all(axis=-1)
    rows, columns = np.nonzero(outlined)
    assert 10 < rows.min() < 30 < rows.max() < 50
    assert 10 < columns.min() < 30 < columns.max() < 50
    assert not outlined[30, 30]


def test_a_silent_map_has_no_region():
    crop = np.full((30, 30, 3), 200, np.uint8)
    picture = overlay(crop, np.zeros((4, 4)), 0.0, GRID, size=40, colour=COLOUR)
    assert np.asarray(picture).max() < 100


def test_a_place_is_marked():
    crop = np.zeros((30, 30, 3), np.uint8)
    picture = overlay(crop, np.zeros((4, 4)), 0.0, GRID, size=80, colour=COLOUR, mark=(0.25, 0.75))
    white = np.argwhere((np.asarray(picture) == 255).all(axis=-1))
    np.testing.assert_allclose(white.mean(axis=0), [20, 60], atol=1)
