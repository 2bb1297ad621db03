"""Strict loading of backbones' weights files.

Keras' own `load_weights` ignores superfluous arrays in a file, and its messages are about variables. Here the
shapes in the file are first compared with the model's.
"""

from __future__ import annotations

import os
from collections import Counter

import h5py
import keras
import numpy as np

from tf_explainer.errors import UserError
from tf_explainer.performer.formats import foreign_files

_Shape = tuple[int, ...]
# Statistics of ImageNet's pixels, 0 to 1, as in keras.applications.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_weights_strictly(model: keras.Model, path: str) -> None:
    """Loads a weights file that was saved from the same architecture.

    Args:
        model: a model of `keras.applications`.
        path: `NAME.weights.h5` (Keras 3) or `NAME.h5` (such as Keras' own downloads).

    Raises:
        UserError: the file is missing, is not a weights file, or belongs to another architecture.
    """
    if not fits(model, path):
        raise UserError(
            f"--backbone_weights={path} holds the weights of another architecture than {model.name} "
            f"{_difference(model, path)}: give the file that fits --backbone, or another --backbone"
        )
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"--backbone_weights={path} does not fit {model.name}: {error}") from error


def fits(model: keras.Model, path: str) -> bool:
    """Returns whether a weights file holds exactly the model's arrays, by their shapes.

    Raises:
        UserError: the file is missing, or is not a weights file.
    """
    return _shapes_in_file(path) == _shapes_in_model(model)


def rescaling_in_file(model: keras.Model, path: str) -> keras.layers.Rescaling | None:
    """Returns the layer that an EfficientNet with ImageNet's weights has after its normalisation, else None.

    `keras.applications` adds it if it is called with `weights="imagenet"`. The layer has no weights, so the
    arrays in a file do not tell whether the model had it.

    Args:
        model: built without weights, with the file's weights loaded.
        path: of the file.
    """
    normalisations = [
        each for each in model.layers if isinstance(each, keras.layers.Normalization) and each.weights
    ]
    if not normalisations:
        return None
    with h5py.File(path, "r") as file:
        legacy = file.get("model_weights", file).attrs.get("layer_names")
        names = [str(name) for name in (file["layers"] if legacy is None else legacy.astype(str))]
    is_rescaled = sum(name.startswith("rescaling") for name in names) > 1
    if legacy is not None and not is_rescaled:
        # Keras' own downloads are older than the layer.
        is_rescaled = np.allclose(normalisations[0].adapt_mean, _MEAN, atol=1e-3)
    scale = [each**-0.5 for each in _DEVIATION]
    return keras.layers.Rescaling(scale, name="rescaling_back") if is_rescaled else None


def _shapes_in_model(model: keras.Model) -> Counter[_Shape]:
    return Counter(tuple(weight.shape) for weight in model.weights)


def _shapes_in_file(path: str) -> Counter[_Shape]:
    if path.endswith(".mat"):
        raise UserError(
            f"--backbone_weights={path} is a file of MatConvNet: it needs --backbone=alexnet, vgg_m or vgg_s"
        )
    if not os.path.isfile(path):
        raise UserError(f"--backbone_weights={path}: there is no such file (nor is it `imagenet` or `none`)")
    shapes: Counter[_Shape] = Counter()

    def visit(name: str, entry: h5py.Group | h5py.Dataset) -> None:
        # The random state of Dropout is saved with the weights.
        if isinstance(entry, h5py.Dataset) and "seed_generator" not in name:
            shapes[tuple(entry.shape)] += 1

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        with open(path, "rb") as content:
            start = content.read(512)
        is_cut = start.startswith(foreign_files.HDF5)
        reason = f": {error}" if is_cut else f": it {foreign_files.no_container(start)}"
        if start.startswith(foreign_files.ZIP):
            reason = ": for a complete model use --performer"
        raise UserError(f"--backbone_weights={path} is not a weights file (HDF5){reason}") from error
    return shapes


def _difference(model: keras.Model, path: str) -> str:
    """Lists the shapes of the largest arrays that only the file or only the model has."""
    stored, wanted = _shapes_in_file(path), _shapes_in_model(model)
    return f"({_listed(stored - wanted)} only in the file, {_listed(wanted - stored)} only in the model)"


def _listed(shapes: Counter[_Shape]) -> str:
    if not shapes:
        return "no arrays"
    largest = sorted(shapes, key=lambda shape: (len(shape), shape), reverse=True)[:2]
    more = shapes.total() - len(largest)
    return " and ".join("x".join(map(str, shape)) for shape in largest) + (
        f" and {more} more" if more > 0 else ""
    )
