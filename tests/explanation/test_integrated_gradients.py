"""Closed cases: a linear decoder, and a known ReLU network against a fine Riemann sum in NumPy."""

import keras
import numpy as np
import pytest

from tf_explainer.config import AttributionConfig
from tf_explainer.explanation import integrated_gradients
from tf_explainer.explanation.attribution import TrackAttributor

SIDE, FILTERS, HIDDEN, CLASSES = 2, 3, 7, 2
RANDOM = np.random.default_rng(0)
UNITS = SIDE * SIDE * FILTERS
FIRST = RANDOM.normal(size=(UNITS, HIDDEN)).astype(np.float32)
BIAS = RANDOM.normal(size=HIDDEN).astype(np.float32)
SECOND = RANDOM.normal(size=(HIDDEN, CLASSES)).astype(np.float32)
BASELINES = [RANDOM.uniform(size=FILTERS).astype(np.float32) for _ in range(2)]
ACTIVATIONS = RANDOM.uniform(0, 4, (3, SIDE, SIDE, FILTERS)).astype(np.float32)
NAMED = np.array([1, 0, 1])


def attributor(activation, **config):
    """Of a network that hands its input, and twice its input, to a decoder of two layers."""
    image = keras.Input((SIDE, SIDE, FILTERS))
    tracks = [keras.Input((SIDE, SIDE, FILTERS)) for _ in range(2)]
    join = keras.Model(tracks, tracks[0] - tracks[1])
    joined = keras.Input((SIDE, SIDE, FILTERS))
    hidden = keras.layers.Dense(HIDDEN, activation=activation)(keras.layers.Flatten()(joined))
    above = keras.Model(joined, keras.layers.Dense(CLASSES, use_bias=False)(hidden))
    above.set_weights([FIRST, BIAS, SECOND])
    return TrackAttributor(
        keras.Model(image, [1 * image, 2 * image]), join, above, BASELINES, AttributionConfig(**config)
    )


def test_a_linear_decoder_is_exact_in_one_step():
    found = attributor(None, steps=1).attribute(ACTIVATIONS, NAMED)
    weight = (FIRST @ SECOND)[:, NAMED].T.reshape(ACTIVATIONS.shape)
    by_part, by_rest = weight * (ACTIVATIONS - BASELINES[0]), -weight * (2 * ACTIVATIONS - BASELINES[1])
    np.testing.assert_allclose(found.parts, by_part.sum(axis=(1, 2)), atol=1e-4)
    np.testing.assert_allclose(found.ordinary, by_rest.sum(axis=(1, 2, 3)), atol=1e-4)
    np.testing.assert_allclose(found.interpretable_maps, by_part.sum(axis=3), atol=1e-4)
    np.testing.assert_allclose(found.ordinary_maps, by_rest.sum(axis=3), atol=1e-4)
    np.testing.assert_allclose(found.gap, 0, atol=1e-4)


def riemann_sum(activations, named, steps):
    """Both tracks' contributions, gradient by gradient, of the right ends of many intervals."""
    tracks = [activations.astype(np.float64), 2.0 * activations]
    totals = [np.zeros_like(track) for track in tracks]
    for step in range(1, steps + 1):
        at = [b + step / steps * (track - b) for track, b in zip(tracks, BASELINES, strict=True)]
        reached = (at[0] - at[1]).reshape(len(activations), -1) @ FIRST + BIAS
        gradient = ((reached > 0) * SECOND[:, named].T) @ FIRST.T
        for total, sign in zip(totals, (1, -1), strict=True):
            total += sign * gradient.reshape(activations.shape) / steps
    return [total * (track - b) for total, track, b in zip(totals, tracks, BASELINES, strict=True)]


def test_a_relu_network_agrees_with_a_fine_riemann_sum():
    by_part, by_rest = riemann_sum(ACTIVATIONS, NAMED, 20000)
    found = attributor("relu", steps=1000).attribute(ACTIVATIONS, NAMED)
    np.testing.assert_allclose(found.parts, by_part.sum(axis=(1, 2)), atol=0.02)
    np.testing.assert_allclose(found.ordinary, by_rest.sum(axis=(1, 2, 3)), atol=0.04)
    np.testing.assert_allclose(found.gap, 0, atol=0.04)
    few = attributor("relu", steps=1).attribute(ACTIVATIONS, NAMED)
    assert np.abs(few.gap).max() > 0.2, "its gradient is not the same everywhere"


def test_the_gap_of_a_smooth_network_falls_with_the_steps_and_is_small_by_default():
    gaps = []
    for config in ({"steps": 2}, {"steps": 10}, {}):
        found = attributor("softplus", **config).attribute(ACTIVATIONS, NAMED)
        gaps.append(np.abs(found.gap / found.scores).max())
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 0.01


def test_scores_are_of_the_ends():
    found = attributor("relu").attribute(ACTIVATIONS, NAMED)
    for track_scale, scores in ((None, found.baseline), (1, found.scores)):
        both = BASELINES if track_scale is None else [ACTIVATIONS, 2 * ACTIVATIONS]
        inputs = np.broadcast_to(both[0] - both[1], ACTIVATIONS.shape).reshape(len(NAMED), -1)
        literal = np.maximum(inputs @ FIRST + BIAS, 0) @ SECOND
        np.testing.assert_allclose(scores, literal[np.arange(len(NAMED)), NAMED], rtol=1e-4)


def test_many_images_are_attributed_one_by_one():
    many = np.concatenate([ACTIVATIONS] * 5)
    found = attributor("relu").attribute(many, np.tile(NAMED, 5))
    alone = attributor("relu").attribute(ACTIVATIONS[1:2], NAMED[1:2])
    np.testing.assert_allclose(found.parts[1::3], np.tile(alone.parts, (5, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"steps": 2}, [0.25, 0.75]), ({"method": "gradient_x_activation", "steps": 9}, [1.0])],
)
def test_nodes(config, expected):
    np.testing.assert_allclose(integrated_gradients.nodes(AttributionConfig(**config)), expected)


def test_gradient_times_activation_starts_from_nothing():
    found = attributor("relu", method="gradient_x_activation").attribute(ACTIVATIONS, NAMED)
    np.testing.assert_allclose(found.baseline, (np.maximum(BIAS, 0) @ SECOND)[NAMED], rtol=1e-4)


def test_points_may_differ_by_filter():
    shares = np.array([[1, 0, 1], [0, 0, 0.5]], np.float32)
    points = np.asarray(integrated_gradients.points(ACTIVATIONS, BASELINES[0], shares))
    assert points.shape == (6, SIDE, SIDE, FILTERS)
    np.testing.assert_allclose(points[2, ..., 0], ACTIVATIONS[1, ..., 0], rtol=1e-6)
    np.testing.assert_allclose(points[2, ..., 1], BASELINES[0][1], rtol=1e-6)
    np.testing.assert_allclose(points[3, ..., 2], (ACTIVATIONS[1, ..., 2] + BASELINES[0][2]) / 2, rtol=1e-6)
