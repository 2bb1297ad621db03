import math

import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, SIDE, annotations, peaks_and_regions, random_landmarks, random_maps
from tests.metrics.scenes import maps_at, riders
from tf_explainer.metrics.layer_measures import measure_layer
from tf_explainer.metrics.summary import summarise

TOP = 8


def _summary(maps, known):
    return summarise(measure_layer(*peaks_and_regions(maps), known, GRID, TOP), known)


def test_one_category_agrees_with_literal_loops():
    maps, landmarks = random_maps(60, 10), random_landmarks(60, 2)
    summary = _summary(maps, annotations(landmarks))
    found = [[literal.responses(maps, landmarks, range(60), f, k, GRID) for k in range(2)] for f in range(10)]
    instability = [literal.mean(literal.instability(r[:TOP]) for r in row) for row in found]
    ratio = [literal.lowest(literal.ratio(r[:TOP]) for r in row) for row in found]
    ratio_all = [literal.lowest(literal.ratio(r) for r in row) for row in found]
    tracking = summary["tracking"]
    assert summary["location_instability"] == pytest.approx(literal.mean(instability), abs=1e-6)
    assert tracking["median_ratio"] == pytest.approx(np.nanmedian(ratio), abs=1e-6)
    assert tracking["median_ratio_all_images"] == pytest.approx(np.nanmedian(ratio_all), abs=1e-6)
    assert tracking["share_below_1"] == sum(r < 1 for r in ratio) / 10
    assert tracking["share_below_half"] == sum(r < 0.5 for r in ratio) / 10
    assert (summary["filters"], summary["dead_filters"], summary["rare_filters"]) == (10, 0.1, 0.1)
    assert summary["left_out"] == {"dead": [0], "rare": [1]}
    assert "categories" not in summary


def test_riders_are_found_and_named():
    units, landmarks = riders()
    summary = _summary(maps_at(units), annotations(landmarks))
    assert summary["tracked_landmarks"] == {"head": 0.4, "legs": 0.2}
    assert summary["tracking"]["share_below_half"] == 0.6
    assert summary["tracking"]["best"]["ratio"] == pytest.approx(0, abs=1e-12)
    assert summary["tracking"]["best"]["landmark"] in ("head", "legs")
    assert summary["dead_filters"] == 0.2
    assert summary["rare_filters"] == 0


def test_independent_parts_are_those_of_the_tracking_filters():
    units, landmarks = riders()
    summary = _summary(maps_at(units), annotations(landmarks))
    expected = literal.participation_ratio(GRID.first + GRID.spacing * units[:, :3], np.ones((30, 3), bool))
    assert summary["independent_parts"] == pytest.approx(expected)


def test_categories_are_reported_one_by_one():
    units, landmarks = riders()
    fox, fish = units.copy(), units.copy()
    fox[:, 2], fish[:, :2] = -1, -1  # Filters 0, 1 see foxes only, filter 2 fish only.
    both = np.concatenate([landmarks, landmarks])
    both[30:, 0] = np.nan
    known = annotations(both, np.repeat([0, 1], 30), ("fox", "fish"))
    summary = _summary(maps_at(np.concatenate([fox, fish])), known)
    by_name = summary["categories"]
    assert by_name["fox"]["images"] == by_name["fish"]["images"] == 30
    assert by_name["fox"]["tracked_landmarks"]["head"] == pytest.approx(2 / by_name["fox"]["filters"])
    assert by_name["fish"]["tracked_landmarks"]["legs"] == pytest.approx(1 / by_name["fish"]["filters"])
    assert summary["tracked_landmarks"] == {"head": 0.4, "legs": 0.2}
    assert by_name["fish"]["independent_parts"] == pytest.approx(
        literal.participation_ratio(GRID.first + GRID.spacing * units[:, 2:3], np.ones((30, 1), bool))
    )
    mean = (by_name["fox"]["independent_parts"] + by_name["fish"]["independent_parts"]) / 2
    assert summary["independent_parts"] == pytest.approx(mean)
    centres = [by_name[name]["fixed_centre_instability"] for name in ("fox", "fish")]
    assert summary["fixed_centre_instability"] == min(centres)


def test_without_landmarks_only_what_needs_none_is_measured():
    summary = _summary(random_maps(12, 4), annotations(np.zeros((12, 0, 4))))
    for name in ("location_instability", "fixed_centre_instability", "part_interpretability", "rare_filters"):
        assert math.isnan(summary[name])
    assert math.isnan(summary["tracking"]["median_ratio"])
    assert math.isnan(summary["tracking"]["share_below_half"])
    assert math.isnan(summary["independent_parts"])
    assert summary["dead_filters"] == 0.25
    assert summary["tracking"]["best"] is None
    assert summary["tracked_landmarks"] == {}


def test_one_image_measures_nothing_and_breaks_nothing():
    summary = _summary(random_maps(1, 4), annotations(np.full((1, 2, 4), 0.5)))
    assert math.isnan(summary["location_instability"])
    assert math.isnan(summary["tracking"]["median_ratio"])
    assert math.isnan(summary["part_interpretability"])


def test_dead_layers_measure_nothing_and_break_nothing():
    summary = _summary(np.zeros((20, SIDE, SIDE, 4), np.float32), annotations(random_landmarks(20, 2)))
    assert summary["dead_filters"] == 1
    assert math.isnan(summary["location_instability"])
    assert summary["fixed_centre_instability"] > 0
