"""The form of a network's input: what it takes, what has to be put before it, and what cannot be."""

from __future__ import annotations

import keras
from absl import logging

from tf_explainer.errors import UserError
from tf_explainer.performer.preprocessing import Greyscale, Preprocessing


def layers_before(
    graph: keras.Model, path: str, image_size: int, preprocessing: str | None
) -> list[keras.layers.Layer]:
    """Returns what makes the input of a model from RGB pixels `[B, image_size, image_size, 3]`.

    Args:
        graph: functional.
        path: of its file.
        image_size: in pixels.
        preprocessing: a module of `keras.applications`, whose preprocessing goes before the model.

    Raises:
        UserError: the model is not one of one such image and one output, the scores `[B, classes]`.
    """
    _check_ends(graph, path)
    shape = tuple(graph.inputs[0].shape[1:])
    _check_shape(shape, path, image_size)
    if shape[2] == 1:
        if preprocessing:
            raise UserError(
                f"--preprocessing={preprocessing} is for RGB, and {path} takes grey images: leave it out"
            )
        logging.warning("%s takes grey images: pixels are made grey before it", path)
        return [Greyscale(name="greyscale")]
    if preprocessing and any(isinstance(layer, Preprocessing) for layer in graph.layers):
        raise UserError(f"--preprocessing={preprocessing}: {path} preprocesses by itself, leave the flag out")
    return [Preprocessing(preprocessing, name="preprocessing")] if preprocessing else []


def _check_ends(graph: keras.Model, path: str) -> None:
    inputs, outputs = (
        [tensor._keras_history.operation.name for tensor in ends] for ends in (graph.inputs, graph.outputs)
    )
    if len(inputs) != 1:
        raise UserError(
            f"{path} must have one input, an image, and has {len(inputs)} ({', '.join(inputs)}): save a "
            "model in which the others are constants, keras.Model(image, model([image, constant]))"
        )
    if len(outputs) != 1:
        raise UserError(
            f"{path} must have one output, the scores, and has {len(outputs)} ({', '.join(outputs)}): "
            "save one of them, keras.Model(model.inputs, model.outputs[0]).save('NAME.keras')"
        )
    if len(graph.outputs[0].shape) != 2:
        raise UserError(
            f"the one output of {path} must be the scores of an image, [B, classes], and is "
            f"{_written(graph.outputs[0].shape[1:])}: only classifiers can be explained"
        )


def _check_shape(shape: tuple[int | None, ...], path: str, image_size: int) -> None:
    takes = f"{path} takes inputs of {_written(shape)}"
    if len(shape) != 3:
        raise UserError(f"{takes}, no images [B, height, width, 3]: it has no feature maps to be explained")
    height, width, channels = shape
    if height in (1, 3, 4) and channels not in (1, 3, 4):
        raise UserError(
            f"{takes}, channels first, and only maps with channels last can be explained: build the same "
            "network with data_format='channels_last' and give it the weights, "
            "new.set_weights(old.get_weights()); they have the same shapes in both"
        )
    if channels not in (1, 3):
        raise UserError(
            f"{takes}, and images here are RGB: make the {channels} channels from three by a layer, x, that "
            "takes image = keras.Input(...) of three, and save keras.Model(image, model(x(image)))"
        )
    if None not in (height, width) and height != width:
        raise UserError(
            f"{takes}, and only square images and maps can be explained: where its head pools the last map, "
            "build the same network for square images and give it the weights, "
            "new.set_weights(old.get_weights())"
        )
    side = height or width
    if side not in (None, image_size):
        raise UserError(f"{takes}, not images of --image_size={image_size}: set --image_size={side}")


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
