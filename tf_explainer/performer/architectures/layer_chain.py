"""Networks that are a single chain of layers, described as data and built as Keras models.

Paddings are `(top, bottom, left, right)`; incomplete windows at the bottom and right edges are dropped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from tf_explainer.errors import UserError
from tf_explainer.performer import layer_graph
from tf_explainer.performer.architectures.local_response_normalization import LocalResponseNormalization
from tf_explainer.performer.architectures.mean_image import MeanImage

_NO_PADDING = (0, 0, 0, 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution and its activation; after the last pooling, a fully connected layer."""

    name: str
    filters: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = _NO_PADDING
    groups: int = 1
    activation: Literal["relu", "softmax", "linear"] = "relu"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pooling:
    """Max or average pooling."""

    name: str
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = _NO_PADDING
    method: Literal["max", "avg"] = "max"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalization:
    """Local response normalisation, see `LocalResponseNormalization`."""

    name: str
    size: int
    kappa: float
    alpha: float
    beta: float


Chain = Sequence[Convolution | Pooling | Normalization]
Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]


def build(
    chain: Chain,
    name: str,
    image_size: int,
    mean: np.ndarray,
    weights: Weights | None = None,
    *,
    include_top: bool,
) -> keras.Model:
    """Builds a chain as a model from pixels.

    Args:
        chain: its layers, lowest first.
        name: of the model.
        image_size: side of the images, in pixels.
        mean: image to subtract, `[H, W, 3]`, RGB, 0 to 255; its mean colour if its size is not the images'.
        weights: kernel `[h, w, inputs / groups, filters]` and bias `[filters]` by layer; None: random.
        include_top: whether to build the layers after the last pooling too, as Dense layers.

    Returns:
        A model from RGB pixels, 0 to 255, `[B, image_size, image_size, 3]` (input `image`, then the layer
        `preprocessing`) to the last map `[B, h, w, C]`, or with `include_top` to the scores.

    Raises:
        UserError: the images are too small, or do not fit the fully connected layers.
    """
    body, top = split(chain)
    if mean.shape[:2] != (image_size, image_size):
        mean = mean.mean((0, 1), keepdims=True)
    image = keras.Input((image_size, image_size, 3), name="image")
    x = MeanImage(mean.shape, name="preprocessing")(image)
    try:
        for layer in body:
            x = _add(layer, x)
    except ValueError as error:
        raise UserError(f"--image_size={image_size} is too small for {name}: {error}") from error
    if include_top:
        x = _add_top(top, x, name, image_size)
    model = keras.Model(image, x, name=name)
    model.get_layer("preprocessing").mean.assign(mean)
    for layer in (*body, *(top if include_top else ())):
        if weights is not None and isinstance(layer, Convolution):
            kernel, bias = weights[layer.name]
            built = model.get_layer(layer.name)
            built.set_weights([np.reshape(kernel, built.kernel.shape), np.ravel(bias)])
    return model


def split(chain: Chain) -> tuple[Chain, Sequence[Convolution]]:
    """Returns a chain up to its last pooling, and the fully connected layers after it."""
    last = max((index for index, layer in enumerate(chain) if isinstance(layer, Pooling)), default=-1)
    return chain[: last + 1], [layer for layer in chain[last + 1 :] if isinstance(layer, Convolution)]


def _add(layer: Convolution | Pooling | Normalization, x: Any) -> Any:
    if isinstance(layer, Normalization):
        return LocalResponseNormalization(layer.size, layer.kappa, layer.alpha, layer.beta, name=layer.name)(
            x
        )
    if any(layer.padding):
        _check_padding(layer, x)
        top, bottom, left, right = layer.padding
        x = keras.layers.ZeroPadding2D(((top, bottom), (left, right)), name=f"{layer.name}_padding")(x)
    if isinstance(layer, Pooling):
        kind = {"max": keras.layers.MaxPooling2D, "avg": keras.layers.AveragePooling2D}[layer.method]
        return kind(layer.size, layer.stride, name=layer.name)(x)
    return keras.layers.Conv2D(
        layer.filters,
        layer.kernel,
        layer.stride,
        groups=layer.groups,
        activation=layer.activation,
        kernel_initializer="he_normal",
        name=layer.name,
    )(x)


def _check_padding(layer: Convolution | Pooling, x: Any) -> None:
    """Refuses poolings whose result zero padding would change: all but max pooling of non-negative maps."""
    if isinstance(layer, Pooling) and (layer.method != "max" or not layer_graph.is_rectified(x)):
        raise UserError(
            f"layer {layer.name!r} is a padded {layer.method} pooling; only padded max poolings after a ReLU "
            "can be read"
        )


def _add_top(top: Sequence[Convolution], x: Any, name: str, image_size: int) -> Any:
    if top and tuple(x.shape[1:3]) != top[0].kernel:
        height, width = top[0].kernel
        raise UserError(
            f"--image_size={image_size}: the fully connected layers of {name} are for maps of "
            f"{height}x{width} units, not {x.shape[1]}x{x.shape[2]}: set the flag to the network's own size"
        )
    x = keras.layers.Flatten(name="flatten")(x)
    for layer in top:
        x = keras.layers.Dense(layer.filters, layer.activation, name=layer.name)(x)
    return x
