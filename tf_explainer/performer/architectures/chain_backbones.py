"""AlexNet, VGG-M and VGG-S as backbones, with weights from MatConvNet's files or without weights."""

from __future__ import annotations

import functools

import keras

from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError
from tf_explainer.performer.architectures import layer_chain
from tf_explainer.performer.architectures.layer_chain import Chain, Convolution
from tf_explainer.performer.architectures.matconvnet import read_network
from tf_explainer.performer.architectures.published_chains import MEAN_COLOUR, PUBLISHED_CHAINS


def normalised(name: str) -> str:
    """Returns a backbone's name in lower case without `_` and `-`, to compare spellings."""
    return name.lower().replace("_", "").replace("-", "")


def chain_name(backbone: str) -> str | None:
    """Returns the key in `PUBLISHED_CHAINS` of a name in any spelling (`AlexNet`, `vgg-m`), else None."""
    return next((name for name in PUBLISHED_CHAINS if normalised(name) == normalised(backbone)), None)


def build_chain_backbone(config: PerformerConfig, name: str, *, include_top: bool) -> keras.Model:
    """Builds a published chain; see `backbones.build_backbone`.

    Args:
        config: weights and input size; a width multiplier is refused.
        name: a key of `PUBLISHED_CHAINS`.
        include_top: whether to keep the ImageNet head.

    Raises:
        UserError: the weights are not a file of MatConvNet, belong to another network, or do not fit the
            image size; or a width multiplier is set.
    """
    if config.backbone_alpha is not None:
        raise UserError(
            f"--backbone_alpha={config.backbone_alpha}: {name} has no width multiplier, leave the flag out"
        )
    weights = config.backbone_weights
    build = functools.partial(
        layer_chain.build, name=name, image_size=config.image_size, include_top=include_top
    )
    if weights == "none":
        return build(PUBLISHED_CHAINS[name], mean=MEAN_COLOUR)
    if not weights.endswith(".mat"):
        raise UserError(
            f"--backbone_weights={weights}: Keras has no weights of {name}; name the file that MatConvNet "
            "publishes (imagenet-caffe-alex.mat, imagenet-vgg-m.mat, imagenet-vgg-s.mat), or `none`"
        )
    network = read_network(weights)
    _check_kernels(name, network.chain, weights, include_top)
    return build(network.chain, mean=network.mean, weights=network.weights)


def _check_kernels(name: str, found: Chain, path: str, include_top: bool) -> None:
    """Checks that a file has a network's convolution kernels; strides and paddings may differ."""
    if _kernels(found, include_top) != _kernels(PUBLISHED_CHAINS[name], include_top):
        raise UserError(
            f"--backbone_weights={path} holds another network than {name}: give the file that fits "
            "--backbone, or another --backbone"
        )


def _kernels(chain: Chain, include_top: bool) -> list[tuple[int, int, int, int]]:
    body, top = layer_chain.split(chain)
    # The last layer's filters are the classes, which may differ.
    layers = (*body, *top[:-1]) if include_top else body
    return [(*each.kernel, each.filters, each.groups) for each in layers if isinstance(each, Convolution)]
