"""Backbones by name, with preprocessing and weights: Keras' models, published chains, and `local_resnet`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras

from tf_explainer.config import PerformerConfig
from tf_explainer.errors import UserError, nearest_names
from tf_explainer.performer import backbone_weights, keras_settings
from tf_explainer.performer.architectures import local_resnet
from tf_explainer.performer.architectures.chain_backbones import build_chain_backbone, chain_name, normalised
from tf_explainer.performer.backbone_weights import load_weights_strictly
from tf_explainer.performer.preprocessing import Preprocessing
from tf_explainer.performer.rebuilding import equivalence, unfolding


@dataclasses.dataclass(frozen=True)
class Application:
    """A model of `keras.applications`.

    Attributes:
        name: name of the function that builds it, `MobileNetV2`.
        module: module of its `preprocess_input`, `mobilenet_v2`.
        build: the function.
    """

    name: str
    module: str
    build: Callable[..., keras.Model]

    @property
    def takes_alpha(self) -> bool:
        """Whether the model has a width multiplier."""
        return "alpha" in inspect.signature(self.build).parameters


def find_application(name: str) -> Application:
    """Finds a model by its name, in any spelling: `vgg16`, `VGG16`, `mobilenet_v2`, `MobileNetV2`.

    Raises:
        UserError: there is no such model; the message lists the nearest ones.
    """
    functions = {
        normalised(key): value for key, value in vars(keras.applications).items() if inspect.isfunction(value)
    }
    function = functions.get(normalised(name))
    if function is None:
        nearest = nearest_names(normalised(name), functions).split(", ")
        raise UserError(
            f"--backbone={name} is no model of keras.applications, nor alexnet, vgg_m, vgg_s or "
            f"local_resnet; the nearest: {', '.join(functions[each].__name__ for each in nearest)}"
        )
    return Application(function.__name__, function.__module__.rpartition(".")[2], function)


def build_backbone(config: PerformerConfig, *, include_top: bool = False) -> keras.Model:
    """Builds the backbone as one flat functional model that takes pixels.

    Args:
        config: the backbone's name, weights, width multiplier and input size.
        include_top: whether to keep the ImageNet head.

    Returns:
        A model from RGB pixels, 0 to 255, `[B, image_size, image_size, 3]` (input `image`, then the layer
        `preprocessing`) to the last feature map `[B, h, w, C]`, or with `include_top` to the class scores.

    Raises:
        UserError: there is no such backbone, it does not support the size or width multiplier, or its weights
            cannot be loaded.
    """
    keras_settings.check()
    if chain := chain_name(config.backbone):
        return build_chain_backbone(config, chain, include_top=include_top)
    if local_resnet.is_named(config.backbone):
        return local_resnet.build(config, include_top=include_top)
    application = find_application(config.backbone)
    original = _build(application, config, include_top)
    if config.backbone_weights not in ("imagenet", "none"):
        load_weights_strictly(original, config.backbone_weights)
        if rescaling := backbone_weights.rescaling_in_file(original, config.backbone_weights):
            original = unfolding.with_layer_after(original, keras.layers.Normalization, rescaling)
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    preprocessing = Preprocessing(application.module, name="preprocessing")
    model = unfolding.unfolded(original, image, preprocessing(image))
    model.name = application.name.lower()
    images = equivalence.drawn_images(config.image_size)
    equivalence.check_same(
        original, model, preprocessing(images), f"--backbone={config.backbone}", copy_inputs=images
    )
    return model


def _build(application: Application, config: PerformerConfig, include_top: bool) -> keras.Model:
    options: dict[str, Any] = {}
    if config.backbone_alpha is not None:
        if not application.takes_alpha:
            raise UserError(
                f"--backbone_alpha={config.backbone_alpha}: {application.name} has no width multiplier, "
                "leave the flag out"
            )
        options["alpha"] = config.backbone_alpha
    try:
        return application.build(
            include_top=include_top,
            weights="imagenet" if config.backbone_weights == "imagenet" else None,
            input_shape=(config.image_size, config.image_size, 3),
            **options,
        )
    except ValueError as error:
        raise UserError(
            f"--backbone={config.backbone} cannot be built with --image_size={config.image_size}, "
            f"--backbone_alpha={config.backbone_alpha}, --backbone_weights={config.backbone_weights}: {error}"
        ) from error
    except Exception as error:
        # Keras raises a bare Exception if a download fails.
        raise UserError(
            f"the ImageNet weights of --backbone={config.backbone} could not be fetched ({error}); "
            "name a local file: --backbone_weights=FILE"
        ) from error
