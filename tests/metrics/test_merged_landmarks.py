import math

import numpy as np
import pytest

from tests.metrics.examples import random_landmarks
from tf_explainer.datasets import cub200
from tf_explainer.metrics.merged_landmarks import merge_landmarks


def _mean(points):
    """In plain Python: the mean of the points that are there."""
    there = [point for point in points if not math.isnan(point[0])]
    if not there:
        return [math.nan, math.nan]
    return [sum(axis) / len(there) for axis in zip(*there, strict=True)]


def test_birds_have_sides_merged_and_a_head():
    places = random_landmarks(20, 15)[..., :2]
    merged = merge_landmarks(cub200.PARTS, places)
    assert merged.names == (
        *("head", "back", "beak", "belly", "breast", "crown", "forehead", "eye", "leg", "wing"),
        *("nape", "tail", "throat"),
    )
    members = {
        "head": ("beak", "crown", "forehead", "throat", "left_eye", "right_eye"),
        "eye": ("left_eye", "right_eye"),
        "leg": ("left_leg", "right_leg"),
        "wing": ("left_wing", "right_wing"),
    }
    for k, name in enumerate(merged.names):
        rows = [cub200.PARTS.index(member) for member in members.get(name, (name,))]
        for n in range(20):
            expected = _mean(places[n, rows].tolist())
            assert merged.places[n, k].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("names", [("head", "eye", "beak"), ("frontal_legs", "torso"), ("eye", "tail"), ()])
def test_what_is_not_to_be_merged_stays(names):
    places = random_landmarks(5, 3)[:, : len(names), :2]
    merged = merge_landmarks(names, places)
    assert merged.names == names
    np.testing.assert_array_equal(merged.places, places)
