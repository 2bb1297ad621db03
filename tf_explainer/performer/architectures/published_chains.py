"""AlexNet (Krizhevsky et al. 2012), VGG-M and VGG-S (arXiv:1405.3531), as published by MatConvNet.

The papers explain these networks besides VGG-16. AlexNet takes images of 227 pixels, the others of 224. If
weights are read from a published file, strides, paddings and constants come from this file.
"""

from __future__ import annotations

import numpy as np

from tf_explainer.performer.architectures.layer_chain import Chain, Convolution, Normalization, Pooling

MEAN_COLOUR = np.array([123.68, 116.779, 103.939], np.float32).reshape(1, 1, 3)
"""The mean colour of ImageNet's training images, RGB; published files have their own mean."""


def _pooling(number: int, size: int, stride: int, far: int = 0) -> Pooling:
    return Pooling(name=f"pool{number}", size=(size, size), stride=(stride, stride), padding=(0, far, 0, far))


def _convolution(
    number: int, filters: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1
) -> Convolution:
    return Convolution(
        name=f"conv{number}",
        filters=filters,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=(pad, pad, pad, pad),
        groups=groups,
    )


def _normalization(number: int, kappa: float, alpha: float) -> Normalization:
    return Normalization(name=f"norm{number}", size=5, kappa=kappa, alpha=alpha, beta=0.75)


_TOP = (
    Convolution(name="fc6", filters=4096, kernel=(6, 6)),
    Convolution(name="fc7", filters=4096, kernel=(1, 1)),
    Convolution(name="fc8", filters=1000, kernel=(1, 1), activation="softmax"),
)
_THREE_OF_512 = tuple(_convolution(number, 512, 3, pad=1) for number in (3, 4, 5))

PUBLISHED_CHAINS: dict[str, Chain] = {
    "alexnet": (
        _convolution(1, 96, 11, stride=4),
        _normalization(1, 1.0, 1e-4 / 5),
        _pooling(1, 3, 2),
        _convolution(2, 256, 5, pad=2, groups=2),
        _normalization(2, 1.0, 1e-4 / 5),
        _pooling(2, 3, 2),
        _convolution(3, 384, 3, pad=1),
        _convolution(4, 384, 3, pad=1, groups=2),
        _convolution(5, 256, 3, pad=1, groups=2),
        _pooling(5, 3, 2),
        *_TOP,
    ),
    "vgg_m": (
        _convolution(1, 96, 7, stride=2),
        _normalization(1, 2.0, 1e-4),
        _pooling(1, 3, 2),
        _convolution(2, 256, 5, stride=2, pad=1),
        _normalization(2, 2.0, 1e-4),
        _pooling(2, 3, 2, far=1),
        *_THREE_OF_512,
        _pooling(5, 3, 2),
        *_TOP,
    ),
    "vgg_s": (
        _convolution(1, 96, 7, stride=2),
        _normalization(1, 2.0, 1e-4),
        _pooling(1, 3, 3, far=2),
        _convolution(2, 256, 5),
        _pooling(2, 2, 2, far=1),
        *_THREE_OF_512,
        _pooling(5, 3, 3, far=1),
        *_TOP,
    ),
}
"""The networks by name, a value of `PerformerConfig.backbone`."""
