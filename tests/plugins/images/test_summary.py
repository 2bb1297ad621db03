"""Contributions in any Keras classifier are that classifier's, or refused."""

import keras
import numpy as np
import pytest

from tf_explainer.errors import UserError
from tf_explainer.plugins.images import summary

L = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


def graph():
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    relu = L.ReLU(name="relu")
    first = relu(L.Conv2D(4, 3, name="low")(L.Rescaling(1 / 255)(image)))
    second = relu(L.Conv2D(6, 3, strides=2, name="high")(first))
    return image, first, second


def classifier(image, *maps):
    pooled = L.Concatenate()([L.GlobalAveragePooling2D()(each) for each in maps])
    return image, L.Dense(3, activation="softmax")(pooled)


@pytest.mark.parametrize("layer", ["relu.1", "relu.2", "high"])
def test_each_call_of_a_layer_is_explained_for_itself(layer):
    image, _, second = graph()
    model = keras.Model(*classifier(image, second))
    scores = summary.of_model(model, layer, IMAGES)
    probabilities = np.asarray(model(IMAGES.astype(np.float32)))
    np.testing.assert_allclose(scores.performer_scores, probabilities, atol=1e-5)
    assert scores.ranked[0].attribution.parts.shape == (5, 4 if layer == "relu.1" else 6)
    np.testing.assert_array_equal(scores.ranked[0].classes, probabilities.argmax(axis=1))


def test_a_layer_that_is_called_twice_is_named_by_its_call():
    image, _, second = graph()
    with pytest.raises(UserError, match=r"layer 'relu' is called several times: .* relu.1, relu.2"):
        summary.of_model(keras.Model(*classifier(image, second)), "relu", IMAGES)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("relu.2", "do not depend on layer 'relu.2' alone: choose a layer .* low, relu.1"),
        ("hihg", "the model has no layer 'hihg'; it has .*high"),
    ],
)
def test_a_layer_that_does_not_decide_alone_is_refused(layer, message):
    image, first, second = graph()
    with pytest.raises(UserError, match=message):
        summary.of_model(keras.Model(*classifier(image, first, second)), layer, IMAGES)


class Reversed(keras.Model):
    """A graph of layers whose scores are turned round afterwards."""

    def call(self, inputs, **options):
        return super().call(inputs, **options)[:, ::-1]


def test_a_model_that_is_more_than_its_graph_is_refused():
    image, _, second = graph()
    image, scores = classifier(image, second)
    with pytest.raises(UserError, match="cut at layer 'high' is not the network any more"):
        summary.of_model(Reversed(image, scores), "high", IMAGES)
