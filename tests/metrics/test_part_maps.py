import numpy as np
import pytest

from tests.metrics.examples import random_maps
from tf_explainer.metrics.part_maps import mean_peaks, part_maps
from tf_explainer.metrics.peaks import Peaks

GROUPS = np.array([0, 1, 0, -1, 1, 1])


def test_a_part_is_the_mean_of_its_filters_in_mean_peaks():
    maps = random_maps(9, 6)
    scale = mean_peaks(Peaks.of(maps))
    got = part_maps(maps, GROUPS, scale)
    assert got.shape == (9, 6, 6, 2)
    for part, members in ((0, (0, 2)), (1, (1, 4, 5))):
        for n, i, j in np.ndindex(9, 6, 6):
            values = []
            for f in members:
                mean_peak = sum(maps[m, :, :, f].max() for m in range(9)) / 9
                values.append(maps[n, i, j, f] / mean_peak if mean_peak else 0.0)
            assert got[n, i, j, part] == pytest.approx(sum(values) / len(values), rel=1e-5)


def test_loudness_does_not_count():
    maps = random_maps(9, 6)
    loud = maps * np.array([1, 1, 100, 1, 1, 0.01], np.float32)
    of = [part_maps(each, GROUPS, mean_peaks(Peaks.of(each))) for each in (maps, loud)]
    np.testing.assert_allclose(*of, rtol=1e-4)


def test_without_groups_there_is_no_part():
    assert part_maps(random_maps(2, 3), np.full(3, -1), np.ones(3)).shape == (2, 6, 6, 0)
    with pytest.raises(ValueError, match="2 groups of filters for maps of 3 filters"):
        part_maps(random_maps(2, 3), np.zeros(2, int), np.ones(3))
