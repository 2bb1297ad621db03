"""Whatever people make of Keras' layers: what is explained gives the scores of their file, or is refused."""

import os
import re
import tempfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.support import random_models
from tf_explainer import scores
from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph, layer_selection
from tf_explainer.performer.model_files import read_model
from tf_explainer.performer.performer import Performer

REFUSALS = ("no layer qualifies as the target layer", "can only be the lowest of the distilled layers")
"""What a model of this kind may be refused for, and nothing else."""

SETTINGS = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def by_keras(path, images, told):
    """The scores as Keras alone gives them."""
    model = keras.models.load_model(path, compile=False)
    if told["input"] == "grey":
        images = keras.ops.image.rgb_to_grayscale(images)
    if told["wrap"] == "named":
        images = {"photo": images}
    return numbers(keras.tree.flatten(model(images, training=False))[0])


def composed(performer, features):
    """The scores by way of trunk, the distilled layers' own weights, and head."""
    x = performer.trunk()(features, training=False)
    places = layer_graph.places(performer.model)
    below = None
    for name, dense in performer.distilled_dense().items():
        if below is not None and layer_graph.sources(places[name])[0] is not places[below]:
            x = keras.Model(places[below], layer_graph.sources(places[name])[0])(x, training=False)
        if dense:
            x = keras.activations.get(dense.activation)(
                keras.ops.cast(x, "float32") @ dense.kernel + dense.bias
            )
        elif below is not None:
            x = layer_graph.producer(places[name])(x)
        below = name
    return numbers(scores.from_logits(performer.head()(x, training=False), performer.output_kind))


def check(model):
    """Runs a model through the pieces that load it, and compares with plain Keras on images of its own."""
    told = model.told
    images = np.random.default_rng(7).integers(
        0, 256, (3, random_models.SIZE, random_models.SIZE, 3), np.uint8
    )
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "model.keras")
        model.save(path)
        expected = by_keras(path, images.astype(np.float32), told)
        read = read_model(path, random_models.SIZE)
    half = told["policy"] != "float32" or told["input"] == "float16" or told["quantised"]
    # A score near 0 is a sum of terms that are not, and half precision rounds these.
    least, relative = (0.1, 5e-2) if half else (1e-3, 1e-3)
    tolerance = {"rtol": 0, "atol": relative * max(np.abs(expected).max(), least)}
    np.testing.assert_allclose(numbers(read(images, training=False)), expected, **tolerance)
    config = PerformerConfig(image_size=random_models.SIZE)
    try:
        performer = Performer(read, layer_selection.with_layers(read, config))
        performer.check()
    except UserError as error:
        if not any(re.search(reason, str(error)) for reason in REFUSALS):
            raise
        event("refused")
        return
    event("explained")
    outputs = performer.feature_model()(images, training=False)
    np.testing.assert_allclose(numbers(outputs["scores"]), expected, **tolerance)
    in_two = performer.above_target()(performer.below_target()(images, training=False), training=False)
    assert set(in_two) == set(outputs)
    for name, values in outputs.items():
        np.testing.assert_array_equal(numbers(in_two[name]), numbers(values))
    features = numbers(outputs[performer.config.target_layer])
    if performer.treatment != "cut":
        if told["quantised"] == "float8":  # Three bits of each factor are left, in the file alone.
            tolerance["atol"] *= 4
        np.testing.assert_allclose(composed(performer, features), expected, **tolerance)


@settings(max_examples=5, derandomize=True, **SETTINGS)
@given(random_models.models())
def test_random_models(model):
    check(model)


@pytest.mark.slow
@pytest.mark.long
@settings(max_examples=500, derandomize=True, **SETTINGS)
@given(random_models.models())
def test_many_random_models(model):
    check(model)
