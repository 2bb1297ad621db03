"""The performer: the pre-trained network to explain, and the pieces of it that the explainer needs.

```
images -> preprocessing -> ... -> target layer --trunk--> distilled[0] -> distilled[1] ... --head--> scores
```
All information that reaches the scores must pass through the target layer and then through each distilled
layer in turn. Otherwise the scores could not be computed from the reconstructed distilled layers.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_explainer import scores
from tf_explainer.config import OutputKind, PerformerConfig, WorkDir
from tf_explainer.errors import UserError, nearest_names
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer import (
    backbone_weights,
    class_names,
    layer_graph,
    layer_selection,
    output_kind,
    signed_maps,
)
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.fingerprint import fingerprint
from tf_explainer.performer.model_files import read_model
from tf_explainer.performer.rebuilding import dense_weights, equivalence
from tf_explainer.performer.rebuilding.copies import frozen_copy
from tf_explainer.performer.rebuilding.dense_weights import DenseWeights
from tf_explainer.performer.receptive_field import receptive_field
from tf_explainer.performer.signed_maps import Treatment

SCORES = "scores"


@dataclasses.dataclass(frozen=True)
class Performer:
    """A flat functional model and the layers at which it is explained.

    Attributes:
        model: maps RGB pixels, 0 to 255, `[B, S, S, 3]`, float or uint8, to scores `[B, outputs]`.
        config: names the target layer and the distilled layers by the keys of `layer_graph.places`.

    Raises:
        UserError: a layer does not exist, is in the wrong place, lies before its own activation, or is
            bypassed; the meaning of the outputs is unknown; the number of class names is wrong.
    """

    model: keras.Model
    config: PerformerConfig

    def __post_init__(self) -> None:
        if not self.config.distilled_layers:
            raise UserError("--distilled_layers is empty: name at least one layer above --target_layer")
        self._check_target()
        self._check_distilled()
        _ = self.output_kind  # Raises if the kind is unknown.
        class_names.check(self.config.class_names, self.num_classes)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of architecture, weights and preprocessing; it does not depend on the layers to explain."""
        return fingerprint(self.model)

    @functools.cached_property
    def output_kind(self) -> OutputKind:
        """Whether the scores are probabilities or logits, of a softmax or of sigmoids."""
        return output_kind.output_kind(self.model.outputs[0], self.config.outputs)

    @property
    def num_classes(self) -> int:
        """Number of classes; a single score stands for two."""
        return max(2, self.model.outputs[0].shape[-1])

    @property
    def is_multi_label(self) -> bool:
        """Whether an image can have several classes: there are several outputs, not of a softmax."""
        return self.model.outputs[0].shape[-1] > 1 and not scores.are_exclusive(self.output_kind)

    @property
    def treatment(self) -> Treatment:
        """How the explainer represents the target layer's map if it can be negative."""
        return signed_maps.treatment(self._target)

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """Shape `(L, L, D)` of the features of one image: of the target layer's map after `treatment`."""
        height, width, channels = self._target.shape[1:]
        return height, width, channels * (2 if self.treatment == "split" else 1)

    def distilled_units(self) -> dict[str, int]:
        """Returns the width of each distilled layer, lowest layer first."""
        return {name: self._tensors[name].shape[-1] for name in self.config.distilled_layers}

    def feature_model(self) -> keras.Model:
        """Returns a model that computes everything that extraction stores; it shares the performer's weights.

        Outputs, by name: the target layer's features `[B, L, L, D]`, never negative (`signed_maps`), each
        distilled layer's unchanged output `[B, units]`, and `scores`, `[B, outputs]`.
        """
        return keras.Model(self.model.inputs[0], self._stored_outputs(), name="features")

    def below_target(self) -> keras.Model:
        """Returns the model from images to the target layer's map, which may be negative."""
        return keras.Model(self.model.inputs[0], self._target, name="below_target")

    def above_target(self) -> keras.Model:
        """Returns the model from the output of `below_target` to the outputs of `feature_model`."""
        return layer_graph.between(self._target, self._stored_outputs())

    def trunk(self) -> keras.Model:
        """Returns a frozen copy of the layers between the target layer and the first distilled layer.

        It maps `[B, L, L, D]` to `[B, inputs]`. If the first distilled layer is not Dense (global pooling),
        the decoder has no weights of it to learn, and it becomes the trunk's last layer. Variables are
        created in the caller's scope.
        """
        first = self._tensors[self.config.distilled_layers[0]]
        is_learned_again = dense_weights.has_weights(layer_graph.producer(first))
        end = _flat(layer_graph.sources(first)[0] if is_learned_again else first)
        if self.treatment != "split":
            return self._copy(self._target, end, "trunk")
        features = keras.Input(self.feature_shape, name="above_and_below_zero")
        above = self._copy(self._target, end, "above_target")
        return keras.Model(
            features, above(signed_maps.signed(features, self.treatment)), name="trunk", trainable=False
        )

    def head(self) -> keras.Model:
        """Returns a frozen copy of the layers from the last distilled layer to the logits of the scores.

        It maps `[B, units]` to `[B, outputs]` float32, see `tf_explainer.scores`.
        """
        last, output = self._tensors[self.config.distilled_layers[-1]], self.model.outputs[0]
        features = keras.Input((last.shape[-1],), name="distilled")
        logits = output_kind.logits(output, self.output_kind)
        if not layer_graph.depends_on(logits, last):  # The layer comes after the last activation.
            logits = scores.logits_of(output, self.output_kind)
        if last is logits:
            return keras.Model(features, keras.layers.Identity()(features), name="head")
        shaped = features if len(last.shape) == 2 else keras.layers.Reshape(last.shape[1:])(features)
        return keras.Model(
            features, self._copy(last, logits, "above_distilled")(shaped), name="head", trainable=False
        )

    def distilled_dense(self) -> dict[str, DenseWeights | None]:
        """Returns each distilled layer's weights, lowest layer first; None for those that are not Dense."""
        return {
            name: dense_weights.weights_of(layer_graph.producer(self._tensors[name]))
            for name in self.config.distilled_layers
        }

    def check(self) -> None:
        """Checks that the scores are deterministic, and that trunk and head can be copied.

        Raises:
            UserError: the scores are random or depend on the other images of the batch, or trunk or head
                cannot be copied.
        """
        images = equivalence.drawn_images(self.config.image_size)
        equivalence.check_steady(self.model, images, "the performer")
        self.trunk()
        self.head()

    def receptive_field(self) -> ReceptiveField:
        """Returns the receptive fields of the target layer's units, in continuous pixels of the input."""
        return receptive_field(self.model, self.config.target_layer)

    @functools.cached_property
    def _tensors(self) -> Mapping[str, Any]:
        return layer_graph.places(self.model)

    @property
    def _target(self) -> Any:
        return self._tensors[self.config.target_layer]

    def _stored_outputs(self) -> dict[str, Any]:
        outputs = {self.config.target_layer: signed_maps.non_negative(self._target, self.treatment)}
        outputs |= {name: _flat(self._tensors[name]) for name in self.config.distilled_layers}
        return outputs | {SCORES: self.model.outputs[0]}

    def _copy(self, lower: Any, upper: Any, name: str) -> keras.Model:
        first, last = (layer_graph.producer(each).name for each in (lower, upper))
        return frozen_copy(
            layer_graph.between(lower, upper), name, f"a copy of the layers from {first} to {last}"
        )

    def _require(self, name: str, flag: str) -> None:
        if name in self._tensors:
            return
        if calls := [each for each in self._tensors if each.rpartition(".")[0] == name]:
            raise UserError(
                f"{flag}={name}: that layer is called {len(calls)} times; name one of the calls: "
                f"{', '.join(calls)}"
            )
        raise UserError(
            f"{flag}={name}: the performer has no such layer; the nearest: "
            f"{nearest_names(name, self._tensors)}"
        )

    def _check_target(self) -> None:
        name = self.config.target_layer
        self._require(name, "--target_layer")
        if not layer_graph.is_map(self._target):
            raise UserError(f"--target_layer={name} is no feature map: its output is {_shape(self._target)}")
        activated = layer_graph.activation_after(self._target, self.model.outputs[0])
        if activated is not None and not layer_graph.is_activated(self._target):
            after = next(each for each, tensor in self._tensors.items() if tensor is activated)
            raise UserError(
                f"--target_layer={name} lies before its activation: name the activation's layer, {after!r}"
            )

    def _check_distilled(self) -> None:
        lower = self.config.target_layer
        for name in self.config.distilled_layers:
            self._require(name, "--distilled_layers")
            output = self._tensors[name]
            if not layer_graph.is_vector(output):
                raise UserError(f"--distilled_layers={name} is no vector: its output is {_shape(output)}")
            layer = layer_graph.producer(output)
            if lower != self.config.target_layer and _is_closed(layer):
                raise UserError(
                    f"--distilled_layers={name}: the weights of this {type(layer).__name__} cannot be read "
                    f"({layer.quantization_mode or 'it is a custom class'}), so it can only be the lowest "
                    "of the distilled layers"
                )
            self._check_step(lower, output, f"--distilled_layers={name}")
            lower = name
        self._check_step(lower, self.model.outputs[0], "the performer's output")

    def _check_step(self, lower: str, upper: Any, upper_name: str) -> None:
        below = self._tensors[lower]
        if below is not upper and not layer_graph.depends_on(upper, below):
            raise UserError(f"{upper_name} does not lie above {lower!r}: name the layers lowest first")
        if not layer_graph.separates(below, upper):
            possible = ", ".join(each.layer for each in layer_selection.candidates(self.model)[-8:])
            raise UserError(
                f"{upper_name} also gets input that bypasses {lower!r} (a skip connection): "
                f"set --target_layer to a layer that everything passes through: {possible}"
            )


def load_performer(config: PerformerConfig, workdir: WorkDir) -> Performer:
    """Loads the performer from `--performer`, else the work directory, else as a backbone with its own head.

    Args:
        config: names the file or backbone, and the layers; `layer_selection` chooses layers that are not
            named.
        workdir: may hold a `performer.keras`.

    Raises:
        UserError: there is no performer, the settings do not fit it, or copies of its layers compute
            something else.
    """
    model = saved_model(config, workdir)
    if model is None:
        model = _backbone_with_head(config, workdir)
        config = class_names.of_own_head(config, model.outputs[0].shape[-1])
    performer = Performer(model, layer_selection.with_layers(model, class_names.named(config)))
    performer.check()
    if config.class_names:
        return performer
    # --performer may name the file of another run, whose report lies beside it.
    trained_in = WorkDir(root=os.path.dirname(config.performer)) if config.performer else workdir
    return dataclasses.replace(
        performer, config=class_names.of_training(performer.config, trained_in, performer.fingerprint)
    )


def saved_model(config: PerformerConfig, workdir: WorkDir | None) -> keras.Model | None:
    """Reads the performer from `--performer`, else from the work directory; None if neither exists.

    Raises:
        UserError: the named file is missing, or the model in the file cannot be explained.
    """
    if config.performer:
        return read_model(
            config.performer,
            config.image_size,
            config.preprocessing,
            modules=config.performer_modules,
            trust_code=config.trust_performer_code,
        )
    if workdir and tf.io.gfile.exists(workdir.performer):
        return read_model(workdir.performer, config.image_size)
    return None


def _backbone_with_head(config: PerformerConfig, workdir: WorkDir) -> keras.Model:
    weights, reason = config.backbone_weights, "has learned nothing"
    if weights != "none":
        try:
            return build_backbone(config, include_top=True)
        except UserError as error:
            reason = "has no head" if _is_headless(config) else f"cannot be used ({error})"
    raise UserError(
        f"there is no {workdir.performer}, and --backbone={config.backbone} with "
        f"--backbone_weights={weights} {reason}: train a performer by "
        "`python -m tf_explainer.train_performer` with these flags, or name one, --performer=FILE.keras"
    )


def _is_headless(config: PerformerConfig) -> bool:
    if config.backbone_weights == "imagenet":
        return False
    without_weights = dataclasses.replace(config, backbone_weights="none")
    return backbone_weights.fits(build_backbone(without_weights), config.backbone_weights)


def _shape(tensor: Any) -> str:
    return "[" + ", ".join(["B", *map(str, tensor.shape[1:])]) + "]"


def _flat(tensor: Any) -> Any:
    return tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)


def _is_closed(layer: Any) -> bool:
    """Returns whether a layer is a Dense one whose weights cannot initialise the decoder."""
    return isinstance(layer, keras.layers.Dense) and not dense_weights.has_weights(layer)
