"""The loss terms beside the filter loss against closed forms."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from tf_explainer.explainer import losses


def test_reconstruction_is_relative_to_the_features():
    features = np.array([[3.0, 4.0], [0.0, 1.0]])
    mean_square_norm = (25 + 1) / 2
    assert losses.reconstruction_loss(features, features, mean_square_norm) == 0
    assert float(losses.reconstruction_loss(features, 0 * features, mean_square_norm)) == pytest.approx(1)
    assert float(losses.reconstruction_loss(features, 2 * features, mean_square_norm)) == pytest.approx(1)


def test_part_share_loss_is_minus_log_p():
    assert float(losses.part_share_loss(ops.convert_to_tensor(0.25))) == pytest.approx(math.log(4))


def test_classification_is_the_cross_entropy_with_the_performers_decision():
    ours = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], "float32"))
    theirs = np.array([[0.4, 0.35, 0.25], [0.5, 0.3, 0.2]], "float32")
    found = float(losses.classification_loss(ours, theirs, "softmax"))
    assert found == pytest.approx(-(math.log(0.7) + math.log(0.1)) / 2, rel=1e-5)
    logit = np.array([[0.3], [-2.0]], "float32")
    for kind, cut in (("sigmoid", 0.5), ("sigmoid_logits", 0.0)):
        said = np.array([[cut - 0.1], [cut + 0.1]], "float32")
        single = float(losses.classification_loss(logit, said, kind))
        expected = (np.log1p(np.exp(0.3)) + np.log1p(np.exp(2.0))) / 2
        assert single == pytest.approx(expected, rel=1e-5)
    several = losses.classification_loss(ours, np.array([[0.9, 0.8, 0.1]] * 2, "float32"), "sigmoid")
    signs = np.array([-1, -1, 1])
    assert float(several) == pytest.approx(np.mean(np.log1p(np.exp(signs * ours))), rel=1e-5)


def test_a_decoder_that_is_wrong_and_sure_is_still_corrected():
    """A softmax of (14, 0) has no gradient left in float32 where it is cut at 1e-6."""
    logits = keras.Variable([[14.0, 0.0]])
    slope = 1e-2
    told = np.array([[0.1, 0.9]], "float32")
    before = float(losses.classification_loss(logits, told, "softmax"))
    logits.assign([[14.0 - slope, 0.0]])
    after = float(losses.classification_loss(logits, told, "softmax"))
    assert (before - after) / slope == pytest.approx(1, rel=1e-3)
