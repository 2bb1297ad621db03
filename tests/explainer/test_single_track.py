import numpy as np

from tests.support.evaluation_example import CHANNELS, SIDE, small_explainer
from tf_explainer.explainer.single_track import SingleTracks


def test_both_tracks_together_are_the_explainer():
    explainer = small_explainer()
    x = np.random.default_rng(0).uniform(size=(3, SIDE, SIDE, CHANNELS)).astype(np.float32)
    single = SingleTracks(explainer)
    decoded, expected = single.decode(*single.tracks(x)), explainer(x)
    assert list(decoded) == ["fc1", "fc2"]
    for name, value in decoded.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-6)


def test_a_mean_takes_the_place_of_every_images_track():
    explainer = small_explainer()
    x = np.random.default_rng(0).uniform(size=(3, SIDE, SIDE, CHANNELS)).astype(np.float32)
    single = SingleTracks(explainer)
    parts, rest = (np.asarray(track) for track in single.tracks(x))
    mean = rest.mean(axis=0, keepdims=True)
    decoded = single.decode(parts, mean)
    for n in range(3):
        one = single.decode(parts[n : n + 1], mean)
        np.testing.assert_allclose(one["fc1"][0], decoded["fc1"][n], atol=1e-6)
    assert np.abs(decoded["fc1"] - explainer(x)["fc1"]).max() > 1e-4
    assert np.ptp(np.asarray(single.decode(mean, mean)["fc1"]), axis=0).max() == 0
