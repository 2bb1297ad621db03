import dataclasses
import json
import math

import keras
import numpy as np
import pytest

from tests.metrics import literal
from tests.metrics.examples import GRID, annotations, peaks_and_regions
from tests.metrics.scenes import maps_at, riders
from tests.support.evaluation_example import DISTILLED, LANDMARKS, features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.errors import UserError
from tf_explainer.evaluation.collected_responses import LAYERS
from tf_explainer.evaluation.evaluation import (
    _halves,
    _permuted,
    evaluate,
)
from tf_explainer.explainer.part_maps import PartMaps
from tf_explainer.images.folds import fold_of, fold_position
from tf_explainer.metrics.layer_measures import measure_layer, permute
from tf_explainer.metrics.part_measures import measure_parts
from tf_explainer.metrics.summary import summarise


def _maps(stored, explainer):
    """The three layers' maps of the categories' images, all at once."""
    target = np.stack([i["block"] for i in stored if i["label"] != 2]).astype(np.float32)
    names = LAYERS[1:]
    cut = keras.Model(explainer.input, [explainer.get_layer(name).output for name in names])
    return {"performer": target} | dict(zip(names, map(np.asarray, cut(target)), strict=True))


def test_every_layer_is_measured_as_by_literal_loops(evaluated):
    features, stored, explainer, _, result, _ = evaluated
    images = [image for image in stored if image["label"] != 2]
    labels = np.array([image["label"] for image in images])
    landmarks = np.stack([image["landmarks"] for image in images])
    for name, maps in _maps(stored, explainer).items():
        layer = result.layers[name]
        for f in range(maps.shape[-1]):
            chosen = np.flatnonzero(labels == layer.category[f])
            for k in range(len(LANDMARKS)):
                found = literal.responses(maps, landmarks, chosen, f, k, features.grid)[:7]
                measures = layer.measures
                assert measures.instability[f, k] == pytest.approx(literal.instability(found), abs=1e-6)
                assert measures.ratio[f, k] == pytest.approx(literal.ratio(found), abs=1e-6)


def test_fidelity_is_that_of_the_held_out_images_of_all_classes(evaluated):
    _, stored, explainer, head, result, _ = evaluated
    unseen = [image for image in stored if fold_of(fold_position(image["id"]), 4) == 0]
    decoded = explainer(np.stack([image["block"] for image in unseen]).astype(np.float32))
    for name in DISTILLED:
        target = np.stack([image[name] for image in unseen]).astype(np.float64)
        error = ((np.asarray(decoded[name]) - target) ** 2).sum() / (target**2).sum()
        assert result.fidelity.relative_error[name] == pytest.approx(error, rel=1e-5)
    theirs = np.asarray(head(np.stack([image["fc2"] for image in unseen]).astype(np.float32))).argmax(1)
    ours = np.asarray(head(decoded["fc2"])).argmax(1)
    labels = np.array([image["label"] for image in unseen])
    assert result.fidelity.images == len(unseen)
    assert result.fidelity.performer_accuracy == pytest.approx((theirs == labels).mean())
    assert result.fidelity.explainer_accuracy == pytest.approx((ours == labels).mean())
    assert result.fidelity.agreement == pytest.approx((theirs == ours).mean())


def test_energy_share_is_that_of_the_mixed_tracks(evaluated):
    _, stored, explainer, _, result, _ = evaluated
    target = np.stack([i["block"] for i in stored if i["label"] != 2]).astype(np.float32)
    names = ("norm_interp", "norm_ordin")
    tracks = keras.Model(explainer.input, [explainer.get_layer(name).output for name in names])(target)
    parts, rest = (float((np.asarray(track, np.float64) ** 2).sum()) for track in tracks)
    p = result.part_share
    assert p == pytest.approx(explainer.config.initial_part_share)
    expected = p**2 * parts / (p**2 * parts + (1 - p) ** 2 * rest)
    assert result.energy_share == pytest.approx(expected, rel=1e-5)


def test_metrics_are_strict_json_with_every_measure(evaluated):
    result = evaluated[4]
    metrics = json.loads(result.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert set(metrics) >= {"layers", "parts", "tracks", "part_share", "fidelity", "images", "categories"}
    assert list(metrics["layers"]) == ["performer", "conv_interp_1", "conv_interp_2"]
    for layer in metrics["layers"].values():
        assert set(layer["tracked_landmarks"]) == set(LANDMARKS)
        assert set(layer["categories"]) == {"fox", "fish"}
    assert (metrics["images"], metrics["categories"]) == (40, ["fox", "fish"])


def test_progress_counts_every_image(evaluated):
    _, stored, _, _, result, progress = evaluated
    assert sum(n for stage, n in progress if stage == "parts") == len(stored)
    assert sum(n for stage, n in progress if stage == "fidelity") == result.fidelity.images < len(stored)


def test_nothing_to_measure_is_null_not_nan(evaluated):
    features, _, explainer, head, _, _ = evaluated
    others = dataclasses.replace(features.outputs, names=("ship", "car", "train"))
    features = dataclasses.replace(features, outputs=others)
    result = evaluate(explainer, head, features, EvaluationConfig())
    assert math.isnan(result.fidelity.performer_accuracy)
    assert result.metrics()["fidelity"]["performer_accuracy"] is None
    assert result.metrics()["fidelity"]["accuracy_difference"] is None


def test_parts_are_those_that_are_handed_over(evaluated):
    features, stored, explainer, head, _, _ = evaluated
    groups = np.array([0, 1, 0, -1, 1, 0])
    result = evaluate(explainer, head, features, EvaluationConfig(), groups=groups)
    assert [set(part.filters) for part in result.parts] == [{0, 2, 5}, {1, 4}]
    maps = _maps(stored, explainer)["conv_interp_2"]
    shown = np.asarray(PartMaps(groups, explainer.get_layer("conv_interp_2").mean_peaks)(maps))
    known = result.annotations
    again = measure_parts(shown, result.layers["performer"].peaks, known, features.grid, 100)
    assert result.part_measures == again
    assert result.metrics()["parts"]["count"] == 2


def test_splits_are_respected(evaluated):
    features, stored, explainer, head, result, _ = evaluated
    held_out = evaluate(explainer, head, features, EvaluationConfig(split="held_out"))
    train = evaluate(explainer, head, features, EvaluationConfig(split="train"))
    assert sorted(held_out.ids + train.ids) == sorted(result.ids)
    assert held_out.annotations.held_out.all()
    assert not train.annotations.held_out.any()
    assert train.metrics()["layers"]["performer"]["tracking"]["median_ratio_held_out"] is None
    assert set(held_out.ids) == {i["id"] for i in stored if fold_of(fold_position(i["id"]), 4) == 0} & set(
        result.ids
    )


def test_landmarks_are_chosen(evaluated):
    features, _, explainer, head, result, _ = evaluated
    one = evaluate(explainer, head, features, EvaluationConfig(landmarks=LANDMARKS[1:]))
    assert one.annotations.landmark_names == LANDMARKS[1:]
    np.testing.assert_array_equal(one.annotations.landmarks, result.annotations.landmarks[:, 1:])
    for layer in one.metrics()["layers"].values():
        assert set(layer["tracked_landmarks"]) == set(LANDMARKS[1:])
    with pytest.raises(UserError, match=rf"--landmarks=wheel.*only: {', '.join(LANDMARKS)}"):
        evaluate(explainer, head, features, EvaluationConfig(landmarks=("wheel",)))


def test_a_split_without_images_is_refused(tmp_path):
    features, _ = features_of(tmp_path, count=2, folds=1000)
    with pytest.raises(UserError, match="--evaluation_split=held_out has no image"):
        evaluate(small_explainer(), small_head(), features, EvaluationConfig(split="held_out"))


def test_without_held_out_images_fidelity_is_that_of_all(tmp_path):
    features, _ = features_of(tmp_path, count=2, folds=1000)
    result = evaluate(small_explainer(), small_head(), features, EvaluationConfig())
    assert result.fidelity.images == 2


def test_intervals_hold_the_figures_that_they_are_of(evaluated):
    features, _, explainer, head, _, _ = evaluated
    groups = np.arange(explainer.feature_shape[-1]) // 2
    config = EvaluationConfig(bootstrap=40)
    metrics = evaluate(explainer, head, features, config, groups=groups).metrics()
    bounds = metrics["intervals"]
    for name, layer in metrics["layers"].items():
        low, high = bounds["layers"][name]["location_instability"]
        assert low < high
        assert low - 0.03 < layer["location_instability"] < high + 0.03
    for name, landmark in metrics["parts"]["landmarks"].items():
        for figure in ("pck", "pck_performer", "ratio"):
            bound = bounds["parts"]["landmarks"][name][figure]
            assert (bound is None) == (landmark[figure] is None)
            # A part is chosen anew in every resample, so that the middle may lie to one side.
            assert bound is None or bound[0] - 0.2 <= landmark[figure] <= bound[1] + 0.2
    ratios = [landmark["ratio"] for landmark in bounds["parts"]["landmarks"].values()]
    assert any(low < high for low, high in filter(None, ratios))
    low, high = bounds["fidelity"]["relative_error"]["fc1"]
    assert low < metrics["fidelity"]["relative_error"]["fc1"] < high


def test_an_image_is_resampled_within_its_half():
    assert _halves(np.array([0, 1, 0, 0, 1, 1])).tolist() == [0, 2, 1, 0, 3, 2]


def test_permuted_images_leave_nothing_to_follow():
    units, landmarks = riders()
    known = annotations(landmarks)
    layer = measure_layer(*peaks_and_regions(maps_at(units)), known, GRID, 100)
    in_order = permute(layer, known, np.arange(len(landmarks)), 100)
    np.testing.assert_array_equal(in_order.measures.ratio, layer.measures.ratio)
    null = _permuted(layer, known, EvaluationConfig())
    assert null["share_below_half"] < 0.1 < summarise(layer, known)["tracking"]["share_below_half"]
    assert null["median_ratio"] > 0.8
