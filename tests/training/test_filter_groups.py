"""The parts of filters."""

import numpy as np

from tests.explainer.test_part_maps import random_maps
from tests.support.evaluation_example import small_explainer
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.diversity import part_groups
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.training.filter_groups import filter_groups

GRID = UnitGrid(side=6, first=0.1, spacing=0.16, extent=0.2)


def test_parts_are_those_of_training_without_dead_filters():
    explainer = small_explainer()
    filters = explainer.get_layer("conv_interp_2").filters
    maps = random_maps(filters, images=8)
    kept = np.arange(filters) % 3 != 0
    members = np.eye(explainer.prototypes.parts)[np.arange(filters) % 3]
    explainer.prototypes.members.assign(members)
    found = filter_groups(explainer, Peaks.of(maps * kept), GRID)
    np.testing.assert_array_equal(found, np.where(kept, np.arange(filters) % 3 - 1, -1))


def test_an_older_explainer_has_filters_that_peak_at_the_same_place():
    explainer = small_explainer()
    filters = explainer.get_layer("conv_interp_2").filters
    explainer.prototypes.members.assign(np.zeros((filters, explainer.prototypes.parts)))
    maps = random_maps(filters, images=8)
    maps[..., 1] = 2 * maps[..., 0]
    found = filter_groups(explainer, Peaks.of(maps), GRID)
    np.testing.assert_array_equal(found, part_groups(Peaks.of(maps), GRID))
    assert found[0] == found[1] >= 0
