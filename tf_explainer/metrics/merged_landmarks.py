"""Merges left and right landmarks, and the landmarks on the head, into one landmark per object part."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from tf_explainer.metrics.layer_measures import mean_over_landmarks

HEAD = "head"
_ON_THE_HEAD = frozenset({"beak", "crown", "forehead", "throat", "eye"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergedLandmarks:
    """Merged landmarks.

    Attributes:
        names: K names; a merged head comes first.
        places: `[N, K, 2]` float64: y, x in units of the crop, means over the visible landmarks that were
            merged; NaN if none is visible.
    """

    names: tuple[str, ...]
    places: np.ndarray


def merge_landmarks(names: Sequence[str], places: np.ndarray) -> MergedLandmarks:
    """Merges left and right, and adds a head if at least two landmarks lie on it and none is named `head`.

    Args:
        names: names of the landmarks, such as `left_eye`, `beak`, `tail`.
        places: `[N, names, 2]`, NaN where not annotated.
    """
    without_side = [re.sub(r"^(left|right)_", "", name) for name in names]
    members = {
        name: [k for k, other in enumerate(without_side) if other == name]
        for name in dict.fromkeys(without_side)
    }
    head = [k for k, name in enumerate(without_side) if name in _ON_THE_HEAD]
    if HEAD not in members and len({without_side[k] for k in head}) > 1:
        members = {HEAD: head} | members
    means = [mean_over_landmarks(places[:, merged].astype(np.float64)) for merged in members.values()]
    return MergedLandmarks(
        names=tuple(members), places=np.stack(means, axis=1) if means else np.zeros((len(places), 0, 2))
    )
