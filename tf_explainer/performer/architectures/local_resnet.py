"""A small residual network with small receptive fields."""

from __future__ import annotations

from typing import Any

import keras

from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer.architectures.chain_backbones import normalised
from tf_explainer.performer.backbone_weights import load_weights_strictly

_NAME = "local_resnet"
# Filters, stride, and side of the second kernel of each block.
_BLOCKS = ((24, 2, 3), (48, 2, 3), (96, 1, 1))
# The gradient of a strided 1 x 1 convolution of fewer channels writes past its memory on CPUs with AVX-512
# (issue 6035 of oneDNN, in TensorFlow 2.21).
_LEAST_FILTERS = 16


def is_named(backbone: str) -> bool:
    """Returns whether a backbone's name is `local_resnet`, in any spelling."""
    return normalised(backbone) == normalised(_NAME)


def build(config: PerformerConfig, *, include_top: bool = False) -> keras.Model:
    """Builds the network, with weights from a file or without weights.

    Small receptive fields keep evidence local, as in BagNets (Brendel and Bethge, arXiv:1904.00760): each
    unit of the last map sees 57 pixels, and neighbours are 8 pixels apart. It is meant for images that differ
    from those of published networks.

    Args:
        config: size, width multiplier and weights, a file or `none`.
        include_top: must be False, as there is no classifier.

    Returns:
        A model from RGB pixels, 0 to 255, `[B, image_size, image_size, 3]` to the map `block3_out`,
        `[B, image_size / 8, image_size / 8, 96 * alpha]`; no layer has fewer than 16 filters.

    Raises:
        UserError: the weights do not exist, or `include_top` is True.
    """
    if include_top or config.backbone_weights == "imagenet":
        missing = "classifier of its own" if include_top else "weights of ImageNet"
        raise UserError(
            f"--backbone={_NAME} has no {missing}: train it, --backbone_weights=none --train_backbone"
        )
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, -1, name="preprocessing")(image)
    alpha = config.backbone_alpha or 1.0
    x = _rectified(_convolution(x, _width(16, alpha), 5, 2, "stem"), "stem")
    for number, (filters, stride, side) in enumerate(_BLOCKS, start=1):
        x = _block(x, _width(filters, alpha), stride, side, f"block{number}")
    model = keras.Model(image, x, name=_NAME)
    if config.backbone_weights != "none":
        load_weights_strictly(model, config.backbone_weights)
    return model


def _width(filters: int, alpha: float) -> int:
    return max(_LEAST_FILTERS, round(filters * alpha))


def _block(x: Any, filters: int, stride: int, side: int, name: str) -> Any:
    y = _rectified(_convolution(x, filters, 3, stride, f"{name}_1"), f"{name}_1")
    y = _convolution(y, filters, side, 1, f"{name}_2")
    shortcut = _convolution(x, filters, 1, stride, f"{name}_0")
    return _rectified(keras.layers.Add(name=f"{name}_add")([shortcut, y]), name)


def _convolution(x: Any, filters: int, side: int, stride: int, name: str) -> Any:
    """Applies a convolution and its normalisation, whose statistics adapt within few steps."""
    x = keras.layers.Conv2D(
        filters, side, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _rectified(x: Any, name: str) -> Any:
    return keras.layers.ReLU(name=f"{name}_out")(x)
