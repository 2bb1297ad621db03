"""Reads Keras files safely, and converts them to flat functional models of fixed input size."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer.errors import UserError, first_line
from tf_explainer.performer import keras_settings, layer_graph
from tf_explainer.performer.formats import foreign_files, hub_presets, input_forms
from tf_explainer.performer.formats.keras_archive import Configuration
from tf_explainer.performer.rebuilding import equivalence, unfolding

_OLD = ("1.", "2.")
_MODULES = (
    "Name the module that registers it (@keras.saving.register_keras_serializable()): "
    "--performer_modules=MODULE"
)


def read_model(
    path: str,
    image_size: int,
    preprocessing: str | None = None,
    *,
    modules: Sequence[str] = (),
    trust_code: bool = False,
) -> keras.Model:
    """Reads an image classifier.

    Nested models are unfolded, so that every layer can be named; an input of variable size gets the given
    size. Losses, metrics and optimizers are not read. Nothing in a file is unpickled, and no module is
    imported because a file names it.

    Args:
        path: a `.keras` or HDF5 file, with any suffix, or a preset of KerasHub, see `hub_presets`.
        image_size: side of the input, in pixels.
        preprocessing: a `keras.applications` module whose preprocessing is put before the model.
        modules: Python modules to import first: they register classes that the file uses.
        trust_code: whether to run code in the file; it has all rights of the person who runs this program.

    Returns:
        A functional model from RGB pixels `[B, image_size, image_size, 3]` to its one output. On drawn images
        it gives the same scores as the model that Keras loads from the file.

    Raises:
        UserError: the file is missing or not a Keras file, holds code that is not trusted, or uses classes
            that are not registered; or the model does not map one image to one output, has another input
            size, or cannot be taken apart into layers.
    """
    keras_settings.check()
    scaling = None
    if hub_presets.is_preset(path):
        original, scaling = hub_presets.load_preset(path)
    else:
        original = _load(path, modules, trust_code)
    graph = layer_graph.functional(original)
    if graph is None:
        graph = _traced(original, path, image_size)
    before = input_forms.layers_before(graph, path, image_size, preprocessing)
    if scaling is not None:
        if before:
            raise UserError(f"--preprocessing={preprocessing}: {path} has its own, leave the flag out")
        before = [scaling]
    images = equivalence.drawn_images(image_size)
    inputs = images
    for layer in before:
        inputs = np.asarray(layer(inputs))
    equivalence.check_steady(original, inputs, path)
    if not before and _is_plain(original):
        return original
    flat = _flat(original, before, path, image_size)
    equivalence.check_same(original, flat, inputs, f"{path}, taken apart into layers,", copy_inputs=images)
    return flat


def _load(path: str, modules: Sequence[str], trust_code: bool) -> keras.Model:
    if not tf.io.gfile.exists(path):
        raise UserError(f"{path}: there is no such file; name a saved Keras model, --performer=FILE.keras")
    if reason := foreign_files.described(path):
        raise UserError(f"{path} {reason}")
    _import(modules)
    try:
        configuration = Configuration(path)
    except ValueError as error:
        raise UserError(f"{path} could not be loaded as a Keras model: {error}") from error
    _check_code(configuration, path, trust_code)
    try:
        with configuration.loadable() as local, warnings.catch_warnings():
            # Keras only warns if a file lacks the weights of a layer.
            warnings.filterwarnings("error", message=".*freshly-initialized weights")
            return keras.models.load_model(local, compile=False, safe_mode=not trust_code)
    except Exception as error:
        # The errors for broken files are undocumented: ValueError, TypeError, KeyError, OSError, ...
        raise UserError(_not_loaded(path, configuration, error)) from error


def _not_loaded(path: str, configuration: Configuration, error: Exception) -> str:
    reason = first_line(error)
    message = f"{path} could not be loaded as a Keras model: {reason}"
    if configuration.written_by.startswith(_OLD):
        return f"{message}. {_convert_old(configuration)}"
    if "nknown" in reason or "Could not locate" in reason or "not interpret" in reason:
        return f"{message}. {_MODULES}"
    return message


def _convert_old(configuration: Configuration) -> str:
    version = f"It was written by Keras {configuration.written_by}, not by Keras 3"
    rebuild = (
        "build the model in Keras 3, with layers in place of operations such as x / 255, give it the old "
        "weights, model.set_weights(old.get_weights()), and save it"
    )
    if configuration.is_hdf5:
        return f"{version}: {rebuild}"
    return (
        f"{version}: load it with that Keras, save it as HDF5, model.save('NAME.h5'), and name that file; "
        f"if that cannot be loaded either, {rebuild}"
    )


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # A custom module may raise anything.
            raise UserError(
                f"--performer_modules={module} cannot be imported: {error}; "
                "the folder that holds it must be in PYTHONPATH"
            ) from error


def _check_code(configuration: Configuration, path: str, trust_code: bool) -> None:
    code = configuration.code()
    if code and not trust_code:
        raise UserError(
            f"{path} holds code ({', '.join(code)}), which is not run. Save the model without it, or, if you "
            "trust whoever made the file, let it run: --trust_performer_code"
        )
    if unknown := configuration.unknown_classes():
        if configuration.written_by.startswith(_OLD):
            raise UserError(f"{path} uses {', '.join(unknown)}. {_convert_old(configuration)}")
        raise UserError(
            f"{path} uses classes or functions that Keras lacks: {', '.join(unknown)}. {_MODULES}"
        )


def _traced(model: keras.Model, path: str, image_size: int) -> keras.Model:
    """Finds the graph of a model of a custom class by calling it on a symbolic image."""
    refusal = (
        f"{path} is no functional Keras model, and cannot be taken apart: its class {type(model).__name__}"
    )
    if not model.built:
        raise UserError(f"{refusal} was saved before its layers had weights, or cannot be built")
    reason = ""
    for channels in (3, 1):
        image = keras.Input((image_size, image_size, channels), name="image")
        try:
            traced = unfolding.graph_of(model, image)
            images = equivalence.drawn_images(image_size)[..., :channels]
            equivalence.check_same(
                model, traced, images, f"{refusal} does something else than its layers one by one: it"
            )
        except UserError:
            raise
        except Exception as error:  # A custom class may raise anything.
            reason = reason or first_line(error)
        else:
            return traced
    raise UserError(f"{refusal} does more than call layers on one image ({reason})")


def _is_plain(model: keras.Model) -> bool:
    """Returns whether a model needs no conversion: it is flat, functional and of fixed input size."""
    if not layer_graph.is_plainly_functional(model):
        return False
    is_flat = not any(isinstance(layer, keras.Model) for layer in model.layers)
    has_single_ends = all(hasattr(end, "shape") for end in (model.input, model.output))
    shape = model.inputs[0].shape
    return is_flat and has_single_ends and shape[0] is None and None not in shape[1:]


def _flat(model: keras.Model, before: Sequence[Any], path: str, image_size: int) -> keras.Model:
    """Puts layers before a model, and rebuilds it without nesting, with an input of fixed size."""
    image = keras.Input((image_size, image_size, 3), name="image")
    pixels = image
    for layer in before:
        pixels = layer(pixels)
    try:
        return unfolding.unfolded(model, image, pixels)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be unfolded into one flat model of --image_size={image_size}: {first_line(error)}"
        ) from error
