import math

import numpy as np
import pytest

from tf_explainer.metrics.part_share import EnergyShare


def test_equal_tracks_share_as_the_squares_of_their_weights():
    energy = EnergyShare(0.25)
    for _ in range(3):
        energy.add(np.ones((2, 3, 3, 4)), -np.ones((2, 3, 3, 4)))
    assert energy.value == pytest.approx(0.25**2 / (0.25**2 + 0.75**2))


def test_energy_is_summed_over_batches():
    energy = EnergyShare(0.5)
    energy.add(np.full((1, 1, 1, 1), 2.0), np.zeros((1, 1, 1, 1)))
    energy.add(np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 4.0))
    assert energy.value == pytest.approx(4 / 20)


def test_half_precision_does_not_overflow():
    energy = EnergyShare(0.5)
    energy.add(np.full((4, 9, 9, 8), 1000, np.float16), np.full((4, 9, 9, 8), 1000, np.float16))
    assert energy.value == pytest.approx(0.5)


def test_without_activations_there_is_no_share():
    assert math.isnan(EnergyShare(0.5).value)
