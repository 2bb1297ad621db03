import numpy as np
import pytest

from tests.explanation.test_attribution import POOLING, average, some_features
from tests.support.evaluation_example import small_explainer, small_head
from tf_explainer.explanation import removal
from tf_explainer.explanation.attribution import Attributor

GROUPS = [(0, 3), (5,), ()]


@pytest.mark.parametrize("pooling", POOLING)
def test_losses_are_those_of_a_second_computation(pooling):
    explainer = small_explainer(*(layer() for layer in POOLING[pooling]))
    explainer(some_features(16), training=True)
    features, classes = some_features(40), np.arange(40) % 3
    attributor = Attributor(explainer, small_head(), "softmax", average())
    lost = removal.losses(attributor, features, classes, GROUPS)
    of_average = [np.asarray(track)[0] for track in attributor.tracks(average()[None])]
    whole = [np.asarray(track) for track in attributor.tracks(features)]
    score = np.asarray(attributor.scores(whole))
    for n in range(40):
        for column in range(4):
            interpretable, ordinary = (track[n : n + 1].copy() for track in whole)
            for f in GROUPS[column] if column < 3 else ():
                interpretable[0, :, :, f] = of_average[0][:, :, f]
            if column == 3:
                ordinary[0] = of_average[1]
            without = np.asarray(attributor.scores([interpretable, ordinary]))
            expected = score[n, classes[n]] - without[0, classes[n]]
            np.testing.assert_allclose(lost[n, column], expected, atol=1e-5)
    assert np.abs(lost[:, [0, 1, 3]]).max(axis=0).min() > 1e-3
    np.testing.assert_allclose(lost[:, 2], 0, atol=1e-5)


def test_several_classes_an_image_are_measured_at_once():
    explainer = small_explainer()
    features, classes = some_features(20), np.stack([np.arange(20) % 3, (np.arange(20) + 1) % 3], axis=1)
    attributor = Attributor(explainer, small_head(), "softmax", average())
    lost = removal.losses(attributor, features, classes, GROUPS)
    assert lost.shape == (20, 2, 4)
    for k in range(2):
        alone = removal.losses(attributor, features, classes[:, k], GROUPS)
        np.testing.assert_allclose(lost[:, k], alone, atol=1e-6)
