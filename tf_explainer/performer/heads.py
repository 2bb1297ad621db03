"""The classification head that is trained on a backbone."""

from __future__ import annotations

import dataclasses

import keras

from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.performer.architectures import local_resnet
from tf_explainer.performer.architectures.chain_backbones import chain_name
from tf_explainer.performer.backbones import find_application

POOLING = "head_pooling"


def with_pooling(training: PerformerTrainingConfig, performer: PerformerConfig) -> PerformerTrainingConfig:
    """Replaces the pooling `auto` by that of the backbone's own classifier.

    That is `flatten` for AlexNet and VGG, and `average` for all others.

    Raises:
        UserError: there is no such backbone.
    """
    if training.head_pooling != "auto":
        return training
    flattens = not local_resnet.is_named(performer.backbone) and (
        chain_name(performer.backbone) or find_application(performer.backbone).name.startswith("VGG")
    )
    return dataclasses.replace(training, head_pooling="flatten" if flattens else "average")


def attach_head(backbone: keras.Model, classes: int, config: PerformerTrainingConfig) -> keras.Model:
    """Puts a classifier on a backbone.

    Args:
        backbone: from images to a feature map `[B, h, w, C]`.
        classes: number of classes.
        config: pooling (not `auto`, see `with_pooling`), widths and dropout of the head.

    Returns:
        One flat model from images to the classes' probabilities `[B, classes]`. Its layers above the backbone
        are `head_pooling`, `fc1`, `fc2`, ... (ReLU), each followed by dropout, and `predictions`.
    """
    pooling = {"flatten": keras.layers.Flatten, "average": keras.layers.GlobalAveragePooling2D}
    x = pooling[config.head_pooling](name=POOLING)(backbone.outputs[0])
    for number, width in enumerate(config.head_widths, start=1):
        x = keras.layers.Dense(width, "relu", kernel_initializer="he_normal", name=f"fc{number}")(x)
        if config.head_dropout:
            x = keras.layers.Dropout(config.head_dropout, name=f"dropout{number}")(x)
    x = keras.layers.Dense(classes, "softmax", name="predictions")(x)
    return keras.Model(backbone.inputs[0], x, name="performer")
