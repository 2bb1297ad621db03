import dataclasses

import keras
import numpy as np

from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head, with_pooling

BACKBONE = PerformerConfig(backbone="mobilenet", backbone_weights="none", backbone_alpha=0.25, image_size=64)
CONFIG = PerformerTrainingConfig(head_pooling="flatten", head_widths=(8, 6))


def names(model, count):
    return [layer.name for layer in model.layers[-count:]]


def test_the_head_is_flat_and_named():
    model = attach_head(build_backbone(BACKBONE), 3, CONFIG)
    assert names(model, 6) == ["head_pooling", "fc1", "dropout1", "fc2", "dropout2", "predictions"]
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.output_shape == (None, 3)
    assert model.get_layer("fc1").kernel.shape == (2 * 2 * 256, 8)
    assert model.get_layer("fc2").activation is keras.activations.relu


def test_average_pooling_and_no_dropout():
    config = dataclasses.replace(CONFIG, head_pooling="average", head_widths=(5,), head_dropout=0.0)
    model = attach_head(build_backbone(BACKBONE), 2, config)
    assert names(model, 3) == ["head_pooling", "fc1", "predictions"]
    assert model.get_layer("fc1").kernel.shape == (256, 5)


def test_it_gives_probabilities():
    model = attach_head(build_backbone(BACKBONE), 3, CONFIG)
    scores = model(np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)))
    np.testing.assert_allclose(np.sum(scores, axis=-1), 1, rtol=1e-6)
    assert np.min(scores) > 0


def test_the_pooling_is_that_of_the_backbones_own_classifier():
    auto = PerformerTrainingConfig()
    for backbone, pooling in {"vgg16": "flatten", "VGG19": "flatten", "resnet50": "average"}.items():
        assert with_pooling(auto, PerformerConfig(backbone=backbone)).head_pooling == pooling
    named = PerformerTrainingConfig(head_pooling="average")
    assert with_pooling(named, PerformerConfig(backbone="vgg16")) == named
