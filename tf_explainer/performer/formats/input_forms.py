"""Checks the shape of a network's input, and adds preprocessing layers before it."""

from __future__ import annotations

import keras
from absl import logging

from tf_explainer.errors import UserError
from tf_explainer.performer.preprocessing import Greyscale, Preprocessing


def layers_before(
    graph: keras.Model, path: str, image_size: int, preprocessing: str | None
) -> list[keras.layers.Layer]:
    """Returns the layers that convert RGB pixels `[B, image_size, image_size, 3]` to a model's input.

    Args:
        graph: the model, functional.
        path: of the model's file.
        image_size: side of the images, in pixels.
        preprocessing: a module of `keras.applications` whose preprocessing is put before the model.

    Raises:
        UserError: the model does not map one such image to one output, the scores `[B, outputs]`, or has its
            own preprocessing.
    """
    _check_ends(graph, path)
    shape = tuple(graph.inputs[0].shape[1:])
    _check_shape(shape, path, image_size)
    if shape[2] == 1:
        if preprocessing:
            raise UserError(
                f"--preprocessing={preprocessing} is for RGB, but {path} takes grey images: leave it out"
            )
        logging.warning("%s takes grey images: colours are converted to grey", path)
        return [Greyscale(name="greyscale")]
    if preprocessing and any(isinstance(layer, Preprocessing) for layer in graph.layers):
        raise UserError(f"--preprocessing={preprocessing}: {path} has its own, leave the flag out")
    return [Preprocessing(preprocessing, name="preprocessing")] if preprocessing else []


def _check_ends(graph: keras.Model, path: str) -> None:
    inputs, outputs = (
        [tensor._keras_history.operation.name for tensor in ends] for ends in (graph.inputs, graph.outputs)
    )
    if len(inputs) != 1:
        raise UserError(
            f"{path} must have one input, an image, but has {len(inputs)} ({', '.join(inputs)}): save a "
            "model in which the others are constants, keras.Model(image, model([image, constant]))"
        )
    if len(outputs) != 1:
        raise UserError(
            f"{path} must have one output, the scores, but has {len(outputs)} ({', '.join(outputs)}): "
            "save one of them, keras.Model(model.inputs, model.outputs[0]).save('NAME.keras')"
        )
    if len(graph.outputs[0].shape) != 2:
        raise UserError(
            f"the output of {path} must be the scores of an image, [B, classes], but has the shape "
            f"{_written(graph.outputs[0].shape[1:])}: only classifiers can be explained"
        )


def _check_shape(shape: tuple[int | None, ...], path: str, image_size: int) -> None:
    takes = f"{path} takes inputs of {_written(shape)}"
    if len(shape) != 3:
        raise UserError(f"{takes}, not images [B, height, width, 3]: it has no feature maps to explain")
    height, width, channels = shape
    if height in (1, 3, 4) and channels not in (1, 3, 4):
        raise UserError(
            f"{takes}, channels first, but only maps with channels last can be explained: build the same "
            "network with data_format='channels_last' and give it the weights, "
            "new.set_weights(old.get_weights()); the shapes are the same in both"
        )
    if channels not in (1, 3):
        raise UserError(
            f"{takes}, but images are RGB: add a layer x that computes the {channels} channels from those of "
            "image = keras.Input((height, width, 3)), and save keras.Model(image, model(x(image)))"
        )
    if None not in (height, width) and height != width:
        raise UserError(
            f"{takes}, but only square images and maps can be explained: if its head pools the last map, "
            "build the same network for square images and give it the weights, "
            "new.set_weights(old.get_weights())"
        )
    side = height or width
    if side not in (None, image_size):
        raise UserError(f"{takes}, not images of --image_size={image_size}: set --image_size={side}")


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
