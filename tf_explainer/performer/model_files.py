"""Keras files from outside, read safely and brought into one form: flat, functional, of fixed input size."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer.errors import UserError
from tf_explainer.performer import keras_archive, layer_graph
from tf_explainer.performer.preprocessing import Preprocessing


def read_model(
    path: str,
    image_size: int,
    preprocessing: str | None = None,
    *,
    modules: Sequence[str] = (),
    trust_code: bool = False,
) -> keras.Model:
    """Reads a model that takes images.

    Nested models are unfolded, so that every layer can be named; an input of free size gets the size that
    is asked for. Nothing in a file is ever unpickled, and no module is imported because a file names it.

    Args:
        path: a `.keras` file.
        image_size: side of the input, in pixels.
        preprocessing: a `keras.applications` module whose preprocessing is put before the model.
        modules: Python modules that are imported first: they register classes that the file uses.
        trust_code: whether code that the file holds is run; it can do whatever the person can.

    Returns:
        A functional model from RGB pixels `[B, image_size, image_size, 3]` to its one output.

    Raises:
        UserError: the file is missing or no Keras file, holds code that is not trusted or uses classes that
            nothing registers, or the model is not a functional one of one image and one output (or a subclass
            that does no more than to call layers), or of another input size.
    """
    model = _load(path, modules, trust_code)
    if not _has_graph(model) and not isinstance(model, keras.Sequential):
        model = _traced(model, path, image_size)
    _check_ends(model, path, image_size)
    if preprocessing and any(isinstance(layer, Preprocessing) for layer in model.layers):
        raise UserError(f"--preprocessing={preprocessing}: {path} preprocesses by itself, leave the flag out")
    if preprocessing is None and _is_plain(model):
        return model
    try:
        return _unfolded(model, image_size, preprocessing)
    except ValueError as error:
        raise UserError(f"{path} cannot be unfolded into one flat model: {error}") from error


def _load(path: str, modules: Sequence[str], trust_code: bool) -> keras.Model:
    if not tf.io.gfile.exists(path):
        raise UserError(f"{path}: there is no such file; name a saved Keras model, --performer=FILE.keras")
    if not path.endswith(".keras"):
        raise UserError(f"{path} is no .keras file: save the model by model.save('NAME.keras')")
    _import(modules)
    _check_code(path, trust_code)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=not trust_code)
    except Exception as error:
        # What a broken or foreign file raises is undocumented: ValueError, TypeError, KeyError, OSError, ...
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} could not be loaded as a Keras model: {reason}") from error


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # Whatever a person's own module raises.
            raise UserError(
                f"--performer_modules={module} cannot be imported: {error}; "
                "the folder that holds it must be in PYTHONPATH"
            ) from error


def _check_code(path: str, trust_code: bool) -> None:
    code = keras_archive.code_in(path)
    if code and not trust_code:
        raise UserError(
            f"{path} holds code ({', '.join(code)}), which is not run. Save the model without it, or, if you "
            "trust whoever made the file, let it run: --trust_performer_code"
        )
    if unknown := keras_archive.unknown_classes(path):
        raise UserError(
            f"{path} uses what is not Keras' own: {', '.join(unknown)}. Name the module that registers "
            "it (@keras.saving.register_keras_serializable()): --performer_modules=MODULE"
        )


def _has_graph(model: Any) -> bool:
    try:
        return bool(model.inputs and model.outputs)
    except (AttributeError, ValueError):
        return False


def _traced(model: keras.Model, path: str, image_size: int) -> keras.Model:
    """Finds the graph of a model that is a class of its own, by calling it on a symbolic image."""
    refusal = (
        f"{path} is no functional Keras model, and cannot be taken apart: its class {type(model).__name__}"
    )
    if not model.built:
        raise UserError(f"{refusal} was saved before its layers had weights, or cannot be built")
    image = keras.Input((image_size, image_size, 3), name="image")
    try:
        traced = keras.Model(image, model.call(image), name=model.name)
        noise = np.random.default_rng(0).uniform(0, 255, (1, image_size, image_size, 3)).astype(np.float32)
        own, by_layers = (np.asarray(each(noise, training=False)) for each in (model, traced))
    except Exception as error:  # Whatever a person's own class raises.
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{refusal} does more than to call layers on one image ({reason})") from error
    if own.shape != by_layers.shape or not np.allclose(own, by_layers, rtol=1e-3, atol=1e-5):
        raise UserError(f"{refusal} does something else than its layers one by one")
    return traced


def _check_ends(model: Any, path: str, image_size: int) -> None:
    if not _has_graph(model):
        raise UserError(f"{path} is no functional Keras model: its layers cannot be taken apart")
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise UserError(f"{path} must have one input and one output, the scores [B, classes]")
    shape = tuple(inputs[0].shape[1:])
    if len(shape) != 3 or shape[2] != 3 or any(side not in (None, image_size) for side in shape[:2]):
        raise UserError(
            f"{path} takes inputs of {shape}, not RGB images of --image_size={image_size}: "
            "set the flag to the model's own size"
        )


def _is_plain(model: keras.Model) -> bool:
    is_flat = not layer_graph.is_nested(model) and not isinstance(model, keras.Sequential)
    return is_flat and None not in model.inputs[0].shape[1:]


def _unfolded(model: keras.Model, image_size: int, preprocessing: str | None) -> keras.Model:
    """Rebuilds a model on an input of fixed size, without nesting, with its weights."""
    image = keras.Input((image_size, image_size, 3), name="image")
    pixels = Preprocessing(preprocessing, name="preprocessing")(image) if preprocessing else image
    return layer_graph.flat_copy(model, image, pixels)
