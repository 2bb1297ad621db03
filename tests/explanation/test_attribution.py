import keras
import numpy as np
import pytest

from tests.evaluation_example import CHANNELS, SIDE, small_explainer, small_head
from tf_explainer.explanation.attribution import Attributor, LayerAttributor


@pytest.fixture
def explainer():
    explainer = small_explainer()
    random = np.random.default_rng(0)
    for weight in explainer.trainable_weights:
        noise = random.normal(scale=0.3, size=weight.shape).astype(np.float32)
        weight.assign(weight + noise)
    for _ in range(3):
        explainer(some_features(16), training=True)
    return explainer


def some_features(count=5, seed=1):
    random = np.random.default_rng(seed)
    return np.maximum(random.normal(size=(count, SIDE, SIDE, CHANNELS)), 0).astype(np.float32)


def test_contributions_and_remainder_are_the_score(explainer):
    features, classes = some_features(), np.array([0, 1, 2, 0, 1])
    attribution = Attributor(explainer, small_head(), "softmax").attribute(features, classes)
    decoded = explainer(features, training=False)["fc2"]
    probabilities = np.asarray(keras.ops.softmax(small_head()(decoded)))
    log_odds = Attributor(explainer, small_head(), "softmax").log_odds(features)
    np.testing.assert_allclose(log_odds, np.log(probabilities / (1 - probabilities)), atol=1e-4)
    np.testing.assert_allclose(attribution.scores, log_odds[np.arange(5), classes], rtol=1e-5)
    total = attribution.parts.sum(axis=1) + attribution.ordinary + attribution.remainder
    np.testing.assert_allclose(total, attribution.scores, rtol=1e-9)
    np.testing.assert_allclose(attribution.interpretable_maps.sum(axis=(1, 2)), attribution.parts.sum(axis=1))
    np.testing.assert_allclose(attribution.ordinary_maps.sum(axis=(1, 2)), attribution.ordinary)
    assert (attribution.parts != 0).any()
    assert np.abs(attribution.remainder).max() > 0.01, "the biases add something"


def two_class_head():
    inputs = keras.Input((5,))
    return keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(inputs))


def test_without_biases_nothing_remains(explainer):
    for name in ("fc_dec_1", "fc_dec_2"):
        explainer.get_layer(name).bias.assign(0 * explainer.get_layer(name).bias)
    attribution = Attributor(explainer, two_class_head(), "softmax").attribute(
        some_features(), np.zeros(5, int)
    )
    assert np.abs(attribution.scores).min() > 1e-3
    np.testing.assert_allclose(attribution.remainder, 0, atol=1e-5)


def test_a_contribution_is_what_is_lost_with_its_part_to_first_order(explainer):
    features = some_features(2)
    attributor = Attributor(explainer, small_head(), "softmax")
    attribution = attributor.attribute(features, np.array([1, 1]))
    interpretable, ordinary = attributor.tracks(features)
    step = 1e-3  # A larger one may carry a ReLU over its kink.
    for f in range(CHANNELS):
        weaker = np.array(interpretable)
        weaker[..., f] *= 1 - step
        lost = attributor.scores([interpretable, ordinary]) - attributor.scores(
            [keras.ops.convert_to_tensor(weaker), ordinary]
        )
        np.testing.assert_allclose(np.asarray(lost)[:, 1] / step, attribution.parts[:, f], atol=2e-3)


def test_a_negative_of_the_contributions_exists(explainer):
    features = some_features(20)
    attribution = Attributor(explainer, small_head(), "softmax").attribute(features, np.zeros(20, int))
    assert (attribution.parts < 0).any()
    assert (attribution.parts > 0).any()


def test_a_layer_of_any_classifier():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(5, 3, activation="relu", name="maps")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="scores")(pooled))
    images = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype(np.float32)
    attributor = LayerAttributor(model, "maps")
    log_odds = attributor.log_odds(images)
    attribution = attributor.attribute(images, log_odds.argmax(axis=1))
    p = np.asarray(model(images))
    np.testing.assert_allclose(log_odds, np.log(p / (1 - p)), atol=1e-4)
    kernel, bias = (np.asarray(weight) for weight in model.get_layer("scores").weights)
    means = np.asarray(keras.Model(inputs, pooled)(images))
    named = p.argmax(axis=1)
    for n, c in enumerate(named):
        np.testing.assert_allclose(
            attribution.parts[n], means[n] * (kernel[:, c] - kernel[:, 1 - c]), atol=1e-5
        )
        assert attribution.remainder[n] == pytest.approx(bias[c] - bias[1 - c], abs=1e-5)
    assert not attribution.ordinary.any()
