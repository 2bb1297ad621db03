"""Preprocessing of RGB pixels as layers, so that a performer's file needs no preprocessing outside of it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_explainer.errors import UserError, nearest_names


@keras.saving.register_keras_serializable(package="tf_explainer")
class Preprocessing(keras.layers.Layer):
    """Applies the `preprocess_input` of a `keras.applications` module to RGB pixels.

    It is the identity for modules whose models include their preprocessing (EfficientNet, ConvNeXt,
    MobileNetV3).

    Input `[B, H, W, 3]`, float or uint8, RGB, 0 to 255. Output `[B, H, W, 3]` in the layer's dtype.

    Args:
        application: the module's name, `vgg16`, `mobilenet_v2`, ...

    Raises:
        UserError: there is no such module.
    """

    def __init__(self, application: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.application = application
        self._preprocess = _preprocess_input(application)

    def call(self, inputs: Any) -> Any:
        """Preprocesses `[B, H, W, 3]`."""
        return self._preprocess(ops.cast(inputs, self.compute_dtype), data_format="channels_last")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"application": self.application}


@keras.saving.register_keras_serializable(package="tf_explainer")
class Greyscale(keras.layers.Layer):
    """Converts RGB pixels to grey, as image readers do: 0.2989 R + 0.587 G + 0.114 B.

    Input `[B, H, W, 3]`, float or uint8, RGB, 0 to 255. Output `[B, H, W, 1]` in the layer's dtype.
    """

    def call(self, inputs: Any) -> Any:
        """Converts `[B, H, W, 3]` to `[B, H, W, 1]`."""
        return ops.image.rgb_to_grayscale(ops.cast(inputs, self.compute_dtype), data_format="channels_last")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns `[B, H, W, 1]`."""
        return (*input_shape[:-1], 1)


def preprocessing_names() -> list[str]:
    """Returns the names of modules that `Preprocessing` accepts."""
    modules = keras.applications
    shared = {"imagenet_utils"}
    return [n for n in dir(modules) if n not in shared and hasattr(getattr(modules, n), "preprocess_input")]


def _preprocess_input(application: str) -> Any:
    if application not in preprocessing_names():
        raise UserError(
            f"--preprocessing={application} is not a module of keras.applications; "
            f"the nearest: {nearest_names(application, preprocessing_names())}"
        )
    return getattr(keras.applications, application).preprocess_input
