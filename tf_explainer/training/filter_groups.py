"""The part that each filter of a trained explainer belongs to."""

from __future__ import annotations

import numpy as np

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.metrics.diversity import part_groups
from tf_explainer.metrics.peaks import Peaks

_NO_PART = -1


def filter_groups(explainer: Explainer, peaks: Peaks, grid: UnitGrid) -> np.ndarray:
    """Returns the part of each filter of conv_interp_2, numbered without gaps; -1 if dead or without a part.

    These are the parts assigned before training. Explainers of older versions have none; their filters are
    grouped by the positions of their peaks instead.

    Args:
        explainer: a trained explainer.
        peaks: peaks of these filters.
        grid: positions of the units in the crop.

    Returns:
        `[F]` int.
    """
    groups = np.where(peaks.dead, _NO_PART, explainer.filter_groups)
    if (groups == _NO_PART).all():
        return part_groups(peaks, grid)
    numbers, of_filter = np.unique(groups, return_inverse=True)
    return of_filter - int(numbers[0] == _NO_PART)
