import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.evaluation_example import CHANNELS, SIDE, small_explainer, small_head
from tf_explainer.config import AttributionConfig
from tf_explainer.explanation.attribution import Attributor, LayerAttributor

QUICK = AttributionConfig(method="gradient_x_activation")


POOLING = {
    "mean": (),
    "maximum": (lambda: keras.layers.MaxPooling2D(2), keras.layers.Flatten),
    "local means": (lambda: keras.layers.AveragePooling2D(2), keras.layers.Flatten),
}


@pytest.fixture
def explainer():
    return shaken(small_explainer())


def shaken(explainer):
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


def average():
    return some_features(100, seed=2).mean(axis=0)


def test_contributions_add_up_to_the_score_above_the_average_image(explainer):
    features, classes = some_features(), np.array([0, 1, 2, 0, 1])
    attribution = Attributor(explainer, small_head(), "softmax", average()).attribute(features, classes)
    decoded = explainer(features, training=False)["fc2"]
    probabilities = np.asarray(keras.ops.softmax(small_head()(decoded)))
    log_odds = Attributor(explainer, small_head(), "softmax", average()).log_odds(features)
    np.testing.assert_allclose(log_odds, np.log(probabilities / (1 - probabilities)), atol=1e-4)
    np.testing.assert_allclose(attribution.scores, log_odds[np.arange(5), classes], rtol=1e-5)
    above = attribution.scores - attribution.baseline
    total = attribution.parts.sum(axis=1) + attribution.ordinary
    assert np.abs(above).max() > 0.3
    np.testing.assert_allclose(total, above, atol=0.03 * np.abs(above).max())
    np.testing.assert_allclose(attribution.gap, above - total, atol=1e-9)
    np.testing.assert_allclose(attribution.interpretable_maps.sum(axis=(1, 2)), attribution.parts.sum(axis=1))
    np.testing.assert_allclose(attribution.ordinary_maps.sum(axis=(1, 2)), attribution.ordinary)
    assert (attribution.parts != 0).any()


def test_the_baseline_is_the_average_image(explainer):
    attributor = Attributor(explainer, small_head(), "softmax", average())
    classes = np.array([0, 1, 2, 0, 1])
    found = attributor.attribute(some_features(), classes)
    of_average = attributor.attribute(np.tile(average(), (5, 1, 1, 1)), classes)
    assert np.abs(found.scores - found.baseline).min() > 1e-3
    np.testing.assert_allclose(found.baseline, of_average.scores, rtol=1e-5)
    np.testing.assert_allclose(of_average.parts, 0, atol=1e-5)
    assert attributor.method == "integrated gradients in 50 steps, from the average image"


@pytest.mark.parametrize("pooling", POOLING)
@pytest.mark.parametrize("config", [AttributionConfig(steps=7), QUICK])
def test_gradients_are_those_at_every_point_of_both_tracks(pooling, config):
    """Here they are taken there, in the attributor behind the tracks' sum."""
    explainer = shaken(small_explainer(*(layer() for layer in POOLING[pooling])))
    attributor = Attributor(explainer, small_head(), "softmax", average(), config)
    assert len(attributor.join.output_shape) == (2 if pooling == "mean" else 4)
    features, classes = some_features(), np.array([0, 1, 2, 0, 1])
    tracks = [np.asarray(track) for track in attributor.tracks(features)]
    totals = [np.zeros_like(track) for track in tracks]
    for share in attributor.nodes:
        at = [
            tf.constant(baseline + share * (track - baseline))
            for track, baseline in zip(tracks, attributor.baselines, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch(at)
            reached = tf.gather(attributor.scores(at), classes, axis=1, batch_dims=1)
        for total, gradient in zip(totals, tape.gradient(reached, at), strict=True):
            total += np.asarray(gradient) / len(attributor.nodes)
    by_part, by_rest = (
        total * (track - baseline)
        for total, track, baseline in zip(totals, tracks, attributor.baselines, strict=True)
    )
    found = attributor.attribute(features, classes)
    assert np.abs(found.parts).max() > 0.1
    np.testing.assert_allclose(found.parts, by_part.sum(axis=(1, 2)), atol=1e-4)
    np.testing.assert_allclose(found.ordinary, by_rest.sum(axis=(1, 2, 3)), atol=1e-4)
    np.testing.assert_allclose(found.interpretable_maps, by_part.sum(axis=3), atol=1e-4)
    np.testing.assert_allclose(found.ordinary_maps, by_rest.sum(axis=3), atol=1e-4)


def test_more_steps_leave_less(explainer):
    gaps = [
        np.abs(
            Attributor(explainer, small_head(), "softmax", average(), AttributionConfig(steps=steps))
            .attribute(some_features(), np.ones(5, int))
            .gap
        ).mean()
        for steps in (2, 20, 200)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]


def two_class_head():
    inputs = keras.Input((5,))
    return keras.Model(inputs, keras.layers.Dense(2, use_bias=False)(inputs))


def test_without_biases_gradient_times_activation_leaves_no_gap(explainer):
    for name in ("fc_dec_1", "fc_dec_2"):
        explainer.get_layer(name).bias.assign(0 * explainer.get_layer(name).bias)
    attribution = Attributor(explainer, two_class_head(), "softmax", average(), QUICK).attribute(
        some_features(), np.zeros(5, int)
    )
    assert np.abs(attribution.scores).min() > 1e-3
    np.testing.assert_allclose(attribution.baseline + attribution.gap, 0, atol=1e-5)


def test_gradient_times_activation_is_what_is_lost_with_a_part_to_first_order(explainer):
    features = some_features(2)
    attributor = Attributor(explainer, small_head(), "softmax", average(), QUICK)
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
    attribution = Attributor(explainer, small_head(), "softmax", average()).attribute(
        features, np.zeros(20, int)
    )
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
        # Above the layer all is linear.
        assert attribution.baseline[n] == pytest.approx(bias[c] - bias[1 - c], abs=1e-5)
        assert attribution.gap[n] == pytest.approx(0, abs=1e-5)
    assert not attribution.ordinary.any()
