"""The explainer: an encoder with two tracks, and a decoder (method: arXiv:1805.07468, section 3).

```
x --+-- conv_interp_1 -> mask_1 -- conv_interp_2 -> mask_2 -- norm_interp --+
    |                                                                       mix -> trunk -> fc_dec_1 -> ...
    +-- conv_ordin ---------------------------------------- norm_ordin -----+
```
The trunk consists of the performer's own layers between the target layer and the first distilled layer:
pooling and any further convolutions, with the performer's weights, which stay fixed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer import scores
from tf_explainer.config import ExplainerConfig, OutputKind
from tf_explainer.explainer import equivariance, layers, losses, part_losses
from tf_explainer.explainer.filter_categories import (
    PREDICTED_CATEGORIES,
    EveryImage,
    PredictedCategory,
    RespondingImages,
)
from tf_explainer.explainer.filter_losses import FILTER_LOSSES, FilterLoss
from tf_explainer.explainer.part_prototypes import PartPrototypes
from tf_explainer.features.schema import AFFINE

INTERPRETABLE_LAYERS = ("conv_interp_1", "conv_interp_2")
FEATURES, SCORES, LOGITS, SHOWS_OBJECT = "explainer_input", "scores", "logits", "shows_object"
# The layer whose parts are shown to users. Losses about the position of peaks apply to this layer only.
_SHOWN_LAYER = INTERPRETABLE_LAYERS[-1]
# Settings of losses that only earlier versions had; ignored, so that explainers saved by them still load.
_RETIRED_SETTINGS = {
    "constellations",
    "consistency_weight",
    "repulsion_weight",
    "repulsion_width",
    "independence_weight",
    "independence_width",
    "specificity_weight",
}
# Dimensions of the space in which features are compared with the parts' prototypes.
_DIMENSIONS = 64
# A channel counts as constant if its standard deviation is at most this share of the channels' mean
# deviation.
_CONSTANT = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilledLayer:
    """A performer layer that the decoder reconstructs.

    Attributes:
        name: name of the layer in the performer.
        units: its width.
        activation: name of its activation; `linear` for pooled features.
        mean_square_norm: `E ||x*||^2`; the squared error is divided by it.
    """

    name: str
    units: int
    activation: str
    mean_square_norm: float


@keras.saving.register_keras_serializable(package="tf_explainer")
class Explainer(keras.Model):
    """Splits a performer's features into object parts and a rest, then reconstructs the performer's layers.

    This is a functional Keras model. To get the output of a layer, build a model by layer name, e.g.
    `keras.Model(explainer.input, explainer.get_layer("conv_interp_2").output)`.

    Input: the target layer's features, `[B, L, L, D]`. Outputs, by name: the part filters' maps before the
    mask, `conv_interp_1` and `conv_interp_2`, `[B, L, L, D]`; the reconstructed features of each distilled
    layer, `[B, units]`; and `scores` and `logits`, which the performer's own head computes from them,
    `[B, outputs]`.

    Compiled with an optimizer, it can be fitted like any Keras model, to pairs of target-layer features and a
    dictionary of the distilled layers' features. `tf_explainer.training.trainer` fits it on several devices.

    Args:
        feature_shape: `(L, L, D)` of the target layer.
        feature_mean: mean of the target layer's activations; the input is divided by a multiple of it.
        distilled: the layers to reconstruct, lowest first.
        trunk: the performer's own layers between the target layer and the first distilled layer.
        head: the performer's own layers from the last distilled layer to its logits.
        output_kind: the kind of the performer's scores. None, for files of earlier versions: the head returns
            probabilities instead of logits.
        performer: fingerprint of the performer; None if unknown.
        negative_class: index, among the performer's classes, of the class that is not a category; None if
            there is no such class.
        config: architecture and loss weights.
        seed: seed of the initial weights.

    Raises:
        ValueError: the feature map is not square.
    """

    def __init__(
        self,
        *,
        feature_shape: Sequence[int],
        feature_mean: float,
        distilled: Sequence[DistilledLayer],
        trunk: keras.Model,
        head: keras.Model,
        config: ExplainerConfig,
        output_kind: OutputKind | None = None,
        performer: str | None = None,
        negative_class: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        height, width, channels = feature_shape
        if height != width:
            raise ValueError(f"the templates need a square feature map, not {height}x{width}")
        trunk.trainable = head.trainable = False

        features = keras.Input((height, width, channels), name="features")
        x = keras.layers.Rescaling(1 / (config.input_scale * feature_mean), name="input_scale")(features)
        maps_1 = _interpretable_conv("conv_interp_1", channels, config, seed)(x)
        maps_2 = _interpretable_conv("conv_interp_2", channels, config, seed + 1)(
            _masked(maps_1, config.mask_beta_1, "mask_1")
        )
        ordinary = keras.layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=layers.ShiftedIdentity(0),
            name="conv_ordin",
        )(x)
        norm = {"floor": config.norm_floor, "momentum": config.statistics_momentum}
        encoded = layers.PartShareMix(config.initial_part_share, name="mix")(
            [
                layers.ActivationNorm(**norm, name="norm_interp")(
                    _masked(maps_2, config.mask_beta_2, "mask_2")
                ),
                layers.ActivationNorm(**norm, name="norm_ordin")(ordinary),
            ]
        )
        outputs = dict(zip(INTERPRETABLE_LAYERS, (maps_1, maps_2), strict=True))
        decoded = trunk(layers.ChannelScale(name="decoder_scale")(encoded), training=False)
        for number, layer in enumerate(distilled, start=1):
            decoded = layers.ChannelScale(name=f"fc_dec_{number}_scale")(decoded)
            decoded = keras.layers.Dense(
                layer.units,
                activation=layer.activation,
                kernel_initializer="glorot_uniform" if decoded.shape[-1] != layer.units else "identity",
                name=f"fc_dec_{number}",
            )(decoded)
            outputs[layer.name] = decoded
        head_output = head(decoded, training=False)
        default_kind: OutputKind = "sigmoid" if head_output.shape[-1] == 1 else "softmax"
        outputs[SCORES] = scores.from_logits(head_output, output_kind) if output_kind else head_output
        if output_kind:
            outputs[LOGITS] = head_output
        super().__init__(inputs=features, outputs=outputs, **kwargs)

        self.feature_shape, self.feature_mean = tuple(feature_shape), feature_mean
        self.distilled, self.trunk, self.head = tuple(distilled), trunk, head
        self.config, self.negative_class, self.seed = config, negative_class, seed
        self.output_kind, self.performer = output_kind or default_kind, performer
        self._head_gives_logits = output_kind is not None
        self.prototypes = PartPrototypes(min(config.parts, channels), min(_DIMENSIONS, channels))
        self.prototypes.build((None, height, width, channels))
        self.filter_losses = {name: self._filter_loss() for name in INTERPRETABLE_LAYERS}
        self.categories = {name: self._categories() for name in INTERPRETABLE_LAYERS}

    @property
    def part_share(self) -> float:
        """p, the weight of the part features in the mix, in (0, 1)."""
        return float(ops.convert_to_numpy(self.get_layer("mix").part_share()))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its weights and settings, in hexadecimal; results computed with it store this value."""
        digest = hashlib.sha256(json.dumps(dataclasses.asdict(self.config), sort_keys=True).encode())
        for weight in self.weights:
            array = ops.convert_to_numpy(ops.cast(weight, "float32"))
            digest.update(f"{array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @property
    def filter_groups(self) -> np.ndarray:
        """`[D]` int: the part that each filter of the interpretable layers belongs to; -1 if none."""
        members = ops.convert_to_numpy(self.prototypes.members)
        return np.where(members.any(axis=1), members.argmax(axis=1), -1)

    def set_parts(self, projection: np.ndarray, prototypes: np.ndarray, groups: np.ndarray) -> None:
        """Assigns every filter to a part; call this before training.

        Args:
            projection: `[D, dimensions]`; see `PartPrototypes`.
            prototypes: `[K, dimensions]`.
            groups: `[D]` int in [0, K).
        """
        self.prototypes.projection.assign(projection)
        self.prototypes.prototypes.assign(prototypes)
        self.prototypes.members.assign(np.eye(self.prototypes.parts, dtype=np.float32)[groups])

    def inhibit(self, deviation: np.ndarray, strength: float) -> None:
        """Subtracts the channels' common response from conv_interp_1's filters; call this before training.

        A filter that copied channel f of x then computes `max(x_f - strength s_f mean_c(x_c / s_c), 0)`, with
        its offset applied to all channels. A channel that responds all over the image thus keeps only the
        places where it responds more than the others. Randomly initialised filters are not changed.

        Args:
            deviation: s, the channels' standard deviations, `[D]`, in any unit.
            strength: factor of the subtracted response; 0 leaves the filters unchanged.
        """
        if self.config.interpretable_init == "he":
            return
        layer = self.get_layer(INTERPRETABLE_LAYERS[0])
        kernel = ops.convert_to_numpy(layer.kernel)  # [k, k, D, D]
        varies = deviation > _CONSTANT * deviation.mean()
        inverse = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
        offset = kernel.sum(axis=2, keepdims=True)  # 1 at the position of each filter's only weight, else 0
        layer.kernel.assign(kernel - strength / len(deviation) * inverse[:, None] * offset * deviation)

    @property
    def loss_weights_by_term(self) -> dict[str, float]:
        """The weight of every term of `loss_terms`."""
        config = self.config
        return (
            {f"reconstruction/{layer.name}": config.reconstruction_weight for layer in self.distilled}
            | {f"filter/{name}": config.filter_weight for name in INTERPRETABLE_LAYERS}
            | {
                "part_share": config.part_share_weight,
                "prototype": config.prototype_weight,
                "consensus": config.consensus_weight,
                "competition": config.competition_weight,
                "equivariance": config.equivariance_weight,
                "classification": config.classification_weight,
            }
        )

    def loss_terms(
        self, targets: Mapping[str, Any], outputs: Mapping[str, Any], training: bool = False
    ) -> dict[str, Any]:
        """Returns this replica's share of every loss term, unweighted.

        Args:
            targets: the performer's distilled features by layer, `[B, units]`, and
                `scores`: the performer's scores, `[B, outputs]`; needed for `classification_weight`,
                `category_assignment` and to recognise images without an object;
                `shows_object`: `[B]` float32, 1 or 0; used instead if the performer has no class for images
                without an object;
                `explainer_input`: the target layer's features, and `affine`, see
                `equivariance.equivariance_loss`. Without these two, the terms that need them are 0.
            outputs: the explainer's outputs.
            training: whether to update the running statistics with this batch.

        Returns:
            Float32 scalars by the names of `loss_weights_by_term`; the shares of all replicas sum to the
            term.
        """
        terms = {}
        for distilled in self.distilled:
            terms[f"reconstruction/{distilled.name}"] = losses.reconstruction_loss(
                targets[distilled.name], outputs[distilled.name], distilled.mean_square_norm
            )
        kind = self.output_kind
        labels = scores.decisions(targets[SCORES], kind) if SCORES in targets else None
        maps, positive = {}, {}
        for name in INTERPRETABLE_LAYERS:
            maps[name] = self.get_layer(name).in_mean_peaks(outputs[name])
            positive[name] = self.categories[name].positive(maps[name], labels, training)
            filter_loss = self.filter_losses[name](maps[name], positive[name], training=training)
            terms[f"filter/{name}"] = ops.mean(filter_loss)
        terms["part_share"] = losses.part_share_loss(self.get_layer("mix").part_share())
        terms |= self._part_terms(maps[_SHOWN_LAYER], positive[_SHOWN_LAYER], labels, targets)
        if self.config.classification_weight:
            logits = outputs[LOGITS] if LOGITS in outputs else scores.logits_of(outputs[SCORES], kind)
            terms["classification"] = losses.classification_loss(logits, targets[SCORES], kind)
        else:
            terms["classification"] = ops.zeros(())
        return terms

    def _part_terms(
        self, maps: Any, positive: Any, labels: Any, targets: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Returns the terms about parts, from the maps `[B, L, L, F]` of conv_interp_2.

        Images without an object do not count: those that the performer assigns to the negative class or, if
        it has no such class, those that the data set labels as negative.
        """
        if self.negative_class is not None and labels is not None:
            objects = ops.cast(labels != self.negative_class, "float32")
        else:
            objects = targets.get(SHOWS_OBJECT, ops.ones_like(maps[:, 0, 0, 0]))
        strength = ops.max(maps, axis=(1, 2)) * objects[:, None]
        if positive is not None:
            strength = strength * ops.cast(positive, "float32")
        members = ops.convert_to_tensor(self.prototypes.members)
        parts = part_losses.part_votes(maps, members)
        terms = dict.fromkeys(("prototype", "equivariance"), ops.zeros(()))
        if FEATURES in targets:
            responsibilities = self.prototypes(targets[FEATURES])
            terms["prototype"] = part_losses.prototype_loss(parts, responsibilities, objects)
        if AFFINE in targets:
            terms["equivariance"] = equivariance.equivariance_loss(maps, strength, targets[AFFINE])
        return terms | {
            "consensus": part_losses.consensus_loss(maps, strength, members),
            "competition": part_losses.competition_loss(parts, objects),
        }

    def _filter_loss(self) -> FilterLoss:
        side, _, filters = self.feature_shape
        config = self.config
        return FILTER_LOSSES[config.filter_loss](
            side=side,
            filters=filters,
            template_beta=config.template_beta,
            temperature=config.temperature,
            momentum=config.statistics_momentum,
        )

    def _categories(self) -> EveryImage | PredictedCategory:
        if rule := PREDICTED_CATEGORIES.get(self.config.category_assignment):
            return rule(
                filters=self.feature_shape[-1],
                classes=max(2, self.head.output_shape[-1]),
                negative_class=self.negative_class,
                momentum=self.config.statistics_momentum,
            )
        return RespondingImages() if self.config.category_assignment == "activation" else EveryImage()

    def total_loss(self, terms: Mapping[str, Any], filter_factor: Any = 1.0) -> Any:
        """Returns the weighted sum of the terms; `filter_factor` scales the weight of the filter losses."""
        return sum(
            weight * terms[name] * (filter_factor if name.startswith("filter/") else 1)
            for name, weight in self.loss_weights_by_term.items()
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the weighted sum of all terms, for Keras' `fit` and `evaluate`."""
        del sample_weight
        inputs = {} if x is None else {FEATURES: x}
        return self.total_loss(self.loss_terms(inputs | y, y_pred, training))

    def copy_to_decoder(self, number: int, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Initialises a layer of the decoder with the weights of a layer of the performer.

        If the performer's activations are in the hundreds, its weights may be as small as Adam's steps, so
        that a single step would overwrite them. The kernel is therefore scaled to the size of He's
        initialisation, and the layer's input is divided by the same factor: a step has the same effect for
        every performer.

        Args:
            number: number of the decoder's layer, from 1.
            kernel: `[inputs, units]`.
            bias: `[units]`.
        """
        size = math.sqrt(np.mean(np.square(kernel, dtype=np.float64)))
        factor = math.sqrt(2 / len(kernel)) / size if size else 1.0
        self.get_layer(f"fc_dec_{number}").set_weights([kernel * factor, bias])
        self.get_layer(f"fc_dec_{number}_scale").scale.assign(np.full(len(kernel), 1 / factor, np.float32))

    def rescale_decoder(self) -> None:
        """Scales the mixed features to the performer's own scale, by the ordinary track's alpha.

        Call this once, after the running statistics have seen some images and before training. The decoder
        then starts as the performer's own layers, on nearly the performer's own features.
        """
        alpha = self.get_layer("norm_ordin").floored_alpha()
        self.get_layer("decoder_scale").scale.assign(alpha * self.config.input_scale * self.feature_mean)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain values."""
        return {
            "name": self.name,
            "feature_shape": list(self.feature_shape),
            "feature_mean": self.feature_mean,
            "distilled": [dataclasses.asdict(layer) for layer in self.distilled],
            "trunk": keras.saving.serialize_keras_object(self.trunk),
            "head": keras.saving.serialize_keras_object(self.head),
            "output_kind": self.output_kind if self._head_gives_logits else None,
            "performer": self.performer,
            "negative_class": self.negative_class,
            "config": dataclasses.asdict(self.config),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Explainer:
        """Builds the explainer that `get_config` describes."""
        models = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("trunk", "head")
        }
        distilled = [DistilledLayer(**layer) for layer in config["distilled"]]
        settings = {k: v for k, v in config["config"].items() if k not in _RETIRED_SETTINGS}
        return cls(**config | models | {"distilled": distilled, "config": ExplainerConfig(**settings)})


def _interpretable_conv(
    name: str, filters: int, config: ExplainerConfig, seed: int
) -> layers.InterpretableConv:
    if config.interpretable_init == "he":
        init: keras.Initializer = keras.initializers.HeNormal(seed)
    else:
        init = layers.ShiftedIdentity(config.init_shift, seed)
    return layers.InterpretableConv(filters, config.statistics_momentum, kernel_initializer=init, name=name)


def _masked(maps: Any, beta: float, name: str) -> Any:
    return layers.Mask(beta, name=name)(maps) if beta else maps
