import math

import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import SIDE, random_maps
from tf_explainer.explainer.layers import Mask
from tf_explainer.metrics.outside_mask import MassOutsideMask


def _share(*batches):
    outside = MassOutsideMask()
    for batch in batches:
        outside.add(batch)
    return outside.share


def test_it_is_what_loops_add():
    maps = random_maps(12, 5)
    lost = 0.0
    for n, f in np.ndindex(12, 5):
        _, row, column = literal.peak(maps[n, ..., f])
        for i, j in np.ndindex(SIDE, SIDE):
            if 1 - 4 * (abs(i - row) + abs(j - column)) / SIDE <= 0:
                lost += float(maps[n, i, j, f])
    assert _share(maps[:5], maps[5:]) == pytest.approx(lost / float(maps.sum(dtype=np.float64)))


def test_nothing_is_left_outside_by_the_mask_itself():
    maps = random_maps(12, 5)
    assert _share(maps) > 0.2
    assert _share(np.asarray(Mask(4.0)(maps))) == 0


def test_silence_has_no_share():
    assert math.isnan(_share(np.zeros((2, SIDE, SIDE, 3), np.float32)))
