"""Which part each filter of a trained explainer is of."""

from __future__ import annotations

import numpy as np

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.diversity import part_groups
from tf_explainer.metrics.peaks import Peaks

_NO_PART = -1


def filter_groups(explainer: Explainer, peaks: Peaks, grid: UnitGrid) -> np.ndarray:
    """Returns the part of each filter of conv_interp_2, numbered without gaps; -1: none, or dead.

    They are the parts that training had; of an older explainer, which has none, filters that peak at the
    same place.

    Args:
        explainer: trained.
        peaks: of these filters.
        grid: where the units look.

    Returns:
        `[F]` int.
    """
    groups = np.where(peaks.dead, _NO_PART, explainer.filter_groups)
    if (groups == _NO_PART).all():
        return part_groups(peaks, grid)
    numbers, of_filter = np.unique(groups, return_inverse=True)
    return of_filter - int(numbers[0] == _NO_PART)
