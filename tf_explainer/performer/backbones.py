"""Backbones by name, with preprocessing and weights: those of Keras, published chains, `local_resnet`."""

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
from tf_explainer.performer.architectures.chain_backbones import build_chain_backbone, chain_name
from tf_explainer.performer.backbone_weights import load_weights_strictly
from tf_explainer.performer.preprocessing import Preprocessing
from tf_explainer.performer.rebuilding import equivalence, unfolding


@dataclasses.dataclass(frozen=True)
class Application:
    """One model of `keras.applications`.

    Attributes:
        name: its function's name, `MobileNetV2`.
        module: the module that holds its `preprocess_input`, `mobilenet_v2`.
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
    functions = {key: value for key, value in vars(keras.applications).items() if inspect.isfunction(value)}
    by_plain_name = {_plain(key): key for key in functions}
    found = by_plain_name.get(_plain(name))
    if found is None:
        nearest = ", ".join(
            by_plain_name[plain] for plain in nearest_names(_plain(name), by_plain_name).split(", ")
        )
        raise UserError(
            f"--backbone={name} is no model of keras.applications, nor alexnet, vgg_m, vgg_s or "
            "local_resnet; the nearest: "
            f"{nearest}"
        )
    function = functions[found]
    return Application(found, function.__module__.rpartition(".")[2], function)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def build_backbone(config: PerformerConfig, *, include_top: bool = False) -> keras.Model:
    """Builds the backbone as one flat functional model that takes pixels.

    Args:
        config: the backbone's name, weights, width multiplier and input size.
        include_top: whether the ImageNet head is kept.

    Returns:
        A model from RGB pixels, 0 to 255, `[B, image_size, image_size, 3]` (input `image`, then the layer
        `preprocessing`) to the last feature map `[B, h, w, C]`, or with `include_top` to the class scores.

    Raises:
        UserError: there is no such backbone, it cannot have that size or width multiplier, or its weights
            cannot be had.
    """
    keras_settings.check()
    if chain := chain_name(config.backbone):
        return build_chain_backbone(config, chain, include_top=include_top)
    if local_resnet.is_named(config.backbone):
        return local_resnet.build(config, include_top=include_top)
    application = find_application(config.backbone)
    plain = _build(application, config, include_top)
    if config.backbone_weights not in ("imagenet", "none"):
        load_weights_strictly(plain, config.backbone_weights)
        if rescaled := backbone_weights.rescaling_in_file(plain, config.backbone_weights):
            plain = unfolding.with_layer_after(plain, keras.layers.Normalization, rescaled)
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    preprocessing = Preprocessing(application.module, name="preprocessing")
    model = unfolding.unfolded(plain, image, preprocessing(image))
    model.name = application.name.lower()
    images = equivalence.drawn_images(config.image_size)
    equivalence.check_same(
        plain, model, preprocessing(images), f"--backbone={config.backbone}", copy_inputs=images
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
        # Keras raises a bare Exception where a download fails.
        raise UserError(
            f"the ImageNet weights of --backbone={config.backbone} could not be fetched ({error}); "
            "give a file that you have: --backbone_weights=FILE"
        ) from error
