"""Reads networks published by MatConvNet: imagenet-caffe-alex.mat, imagenet-vgg-m.mat, imagenet-vgg-s.mat.

A file holds a cell array `layers` of structs with `type` (`conv`, `relu`, `pool`, `lrn`, `softmax`), `name`,
and by type `weights`, `stride`, `pad`, `pool`, `method`, `param`; and the mean image, RGB, in
`meta.normalization`. (Files of the first versions have `filters` and `biases` in place of `weights`,
`normalize` for `lrn`, and no `meta`.)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import scipy.io

from tf_explainer.errors import UserError
from tf_explainer.performer.architectures.layer_chain import (
    Chain,
    Convolution,
    Normalization,
    Pooling,
    Weights,
)


@dataclasses.dataclass(frozen=True)
class PublishedNetwork:
    """The network in a file.

    Attributes:
        chain: the layers.
        weights: kernel `[h, w, inputs / groups, filters]` and bias `[filters]`, float32, by layer.
        mean: image or colour to subtract from images, `[H, W, 3]` or `[1, 1, 3]`, RGB, 0 to 255.
    """

    chain: Chain
    weights: Weights
    mean: np.ndarray


def read_network(path: str) -> PublishedNetwork:
    """Reads a network.

    Raises:
        UserError: the file is missing, is not a network of MatConvNet, or has layers that are not supported.
    """
    if not os.path.isfile(path):
        raise UserError(f"--backbone_weights={path}: there is no such file (nor is it `imagenet` or `none`)")
    if h5py.is_hdf5(path):
        raise UserError(
            f"--backbone_weights={path} has the format of MATLAB 7.3: save it again in MATLAB by save('-v7')"
        )
    try:
        content = scipy.io.loadmat(path)
    except Exception as error:  # SciPy raises many types on damaged files.
        raise UserError(f"--backbone_weights={path} cannot be read as a MATLAB file: {error}") from error
    if "layers" not in content:
        raise UserError(f"--backbone_weights={path} is no network of MatConvNet: it has no `layers`")
    try:
        reader = _Reader()
        for cell in content["layers"].ravel():
            reader.take(_struct(cell))
        return PublishedNetwork(tuple(reader.chain), reader.weights, _mean_image(content))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"--backbone_weights={path} is no network of MatConvNet: {error}") from error
    except UserError as error:
        raise UserError(f"--backbone_weights={path}: {error}") from error


class _Reader:
    """Converts layers one by one."""

    def __init__(self) -> None:
        self.chain: list[Convolution | Pooling | Normalization] = []
        self.weights: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._channels = 3

    def take(self, layer: Mapping[str, Any]) -> None:
        kind = _text(layer["type"])
        name = _text(layer["name"]) if "name" in layer else f"{kind}{len(self.chain) + 1}"
        if kind == "conv":
            self._convolution(name, layer)
        elif kind in ("relu", "softmax"):
            self._activation(name, kind, layer)
        elif kind == "pool":
            method = _text(layer["method"])
            if method not in ("max", "avg"):
                raise UserError(f"layer {name!r} pools by {method!r}: only max and avg are supported")
            size, stride = _pair(layer["pool"]), _pair(layer.get("stride", 1))
            padding = _padding(layer.get("pad", 0))
            self.chain.append(
                Pooling(name=name, size=size, stride=stride, padding=padding, method=method)  # type: ignore[arg-type]
            )
        elif kind in ("lrn", "normalize"):
            size, kappa, alpha, beta = np.ravel(layer["param"]).astype(float).tolist()
            self.chain.append(Normalization(name=name, size=int(size), kappa=kappa, alpha=alpha, beta=beta))
        elif kind != "dropout":
            raise UserError(f"layer {name!r} has the type {kind!r}, which is not supported")

    def _convolution(self, name: str, layer: Mapping[str, Any]) -> None:
        if np.any(np.ravel(layer.get("dilate", 1)) != 1):
            raise UserError(f"layer {name!r} is dilated, which is not supported")
        kernel, bias = layer["weights"].ravel() if "weights" in layer else (layer["filters"], layer["biases"])
        # MATLAB drops trailing axes of length 1.
        kernel = np.asarray(kernel, np.float32).reshape((*np.shape(kernel), 1, 1)[:4])
        height, width, inputs, filters = kernel.shape
        if self._channels % inputs:
            raise UserError(f"layer {name!r} takes {inputs} channels, but there are {self._channels}")
        self.weights[name] = kernel, np.asarray(bias, np.float32).ravel()
        self.chain.append(
            Convolution(
                name=name,
                filters=filters,
                kernel=(height, width),
                stride=_pair(layer.get("stride", 1)),
                padding=_padding(layer.get("pad", 0)),
                groups=self._channels // inputs,
                activation="linear",
            )
        )
        self._channels = filters

    def _activation(self, name: str, kind: Any, layer: Mapping[str, Any]) -> None:
        last = self.chain[-1] if self.chain else None
        if not isinstance(last, Convolution) or last.activation != "linear":
            raise UserError(f"layer {name!r} ({kind}) does not follow a convolution")
        if np.any(layer.get("leak", 0)):
            raise UserError(f"layer {name!r} is a leaky ReLU, which is not supported")
        self.chain[-1] = dataclasses.replace(last, activation=kind)


def _mean_image(content: Mapping[str, Any]) -> np.ndarray:
    around = _struct(content["meta"]) if "meta" in content else content
    mean = np.asarray(_struct(around["normalization"])["averageImage"], np.float32)
    return mean if mean.ndim == 3 and mean.shape[-1] == 3 else mean.reshape(1, 1, 3)


def _struct(value: Any) -> dict[str, Any]:
    """Returns the non-empty fields of a single struct."""
    record = np.asarray(value).ravel()[0]
    return {name: record[name] for name in record.dtype.names if np.size(record[name])}


def _text(value: Any) -> str:
    return str(np.ravel(value)[0])


def _pair(value: Any) -> tuple[int, int]:
    """Returns `(rows, columns)` from one number or two."""
    numbers = [int(number) for number in np.ravel(value)]
    return (numbers[0], numbers[-1])


def _padding(value: Any) -> tuple[int, int, int, int]:
    """Returns `(top, bottom, left, right)` from one number, from `(vertical, horizontal)`, or from four."""
    numbers = [int(number) for number in np.ravel(value)]
    if len(numbers) == 4:
        return (numbers[0], numbers[1], numbers[2], numbers[3])
    return (numbers[0], numbers[0], numbers[-1], numbers[-1])
