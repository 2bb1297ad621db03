import math

import numpy as np
import pytest

from tf_explainer.metrics.fidelity import EnergyShare, Fidelity


def _add(fidelity, targets, decoded, performer, explainer, labels):
    fidelity.add(
        targets={"fc1": np.asarray(targets, float)},
        decoded={"fc1": np.asarray(decoded, float)},
        performer_logits=np.asarray(performer, float),
        explainer_logits=np.asarray(explainer, float),
        labels=np.asarray(labels),
    )


def test_relative_error_is_a_ratio_of_sums_over_all_batches():
    fidelity = Fidelity(["fc1"])
    _add(fidelity, [[3, 4]], [[3, 3]], [[1, 0]], [[1, 0]], [0])
    _add(fidelity, [[1, 0], [0, 0]], [[0, 0], [0, 2]], [[1, 0]] * 2, [[1, 0]] * 2, [0, 0])
    summary = fidelity.summary()
    assert summary.relative_error == {"fc1": pytest.approx((1 + 1 + 4) / (25 + 1))}
    assert summary.images == 3


def test_silence_has_error_1_and_a_copy_0():
    for decoded, error in ((np.zeros((5, 3)), 1), (np.ones((5, 3)), 0)):
        fidelity = Fidelity(["fc1"])
        _add(fidelity, np.ones((5, 3)), decoded, np.eye(2)[[0] * 5], np.eye(2)[[0] * 5], [0] * 5)
        assert fidelity.summary().relative_error["fc1"] == error


def test_accuracies_and_agreement():
    fidelity = Fidelity(["fc1"])
    performer, explainer = np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 0, 1]]
    _add(fidelity, np.ones((4, 1)), np.ones((4, 1)), performer, explainer, [0, 1, 2, 1])
    summary = fidelity.summary()
    assert (summary.performer_accuracy, summary.explainer_accuracy, summary.agreement) == (0.75, 0.75, 0.5)


def test_a_performer_of_other_classes_has_agreement_only():
    fidelity = Fidelity(["fc1"])
    _add(fidelity, np.ones((1, 1)), np.ones((1, 1)), np.eye(1000)[[7]], np.eye(1000)[[7]], [-1])
    summary = fidelity.summary()
    assert math.isnan(summary.performer_accuracy)
    assert math.isnan(summary.explainer_accuracy)
    assert summary.agreement == 1


def test_a_single_output_is_the_logit_of_class_1():
    fidelity = Fidelity(["fc1"])
    logits = np.array([[0.4], [-0.3], [0.1], [-0.1]])
    _add(fidelity, np.ones((4, 1)), np.ones((4, 1)), logits, -logits, [1, 0, 0, 0])
    summary = fidelity.summary()
    assert (summary.performer_accuracy, summary.explainer_accuracy, summary.agreement) == (0.75, 0.25, 0)


def test_nothing_seen_gives_no_figures():
    summary = Fidelity(["fc1"]).summary()
    assert math.isnan(summary.relative_error["fc1"])
    assert math.isnan(summary.agreement)
    assert summary.images == 0


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


def test_classes_that_do_not_exclude_each_other_are_compared_one_by_one():
    fidelity = Fidelity(["fc1"], exclusive=False)
    _add(fidelity, np.ones((1, 1)), np.ones((1, 1)), [[5.0, 4.9, -5]], [[4.9, 5.0, 5]], [0])
    summary = fidelity.summary()
    assert summary.agreement == pytest.approx(2 / 3)
    assert (summary.performer_accuracy, summary.explainer_accuracy) == (1, 0)
