"""The performer: the pre-trained network that is explained, and the pieces that the explainer needs of it.

```
images -> preprocessing -> ... -> target layer --trunk--> distilled[0] -> distilled[1] ... --head--> scores
```
Everything that the scores know of the image must pass through the target layer, and then through each
distilled layer in turn: otherwise giving the distilled layers back would not give the scores back.
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
        model: RGB pixels, 0 to 255, `[B, S, S, 3]`, float or uint8, to scores `[B, classes]`.
        config: names the target layer and the distilled layers, as `layer_graph.places` does.

    Raises:
        UserError: a layer is not there, is in the wrong place, comes before its activation, or is bypassed;
            what the outputs mean cannot be told; their names are not as many as they.
    """

    model: keras.Model
    config: PerformerConfig

    def __post_init__(self) -> None:
        if not self.config.distilled_layers:
            raise UserError("--distilled_layers is empty: name at least one layer above --target_layer")
        self._check_target()
        self._check_distilled()
        _ = self.output_kind
        class_names.check(self.config.class_names, self.num_classes)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of architecture, weights and preprocessing; the layers chosen are no part of it."""
        return fingerprint(self.model)

    @functools.cached_property
    def output_kind(self) -> OutputKind:
        """What its scores are."""
        return output_kind.output_kind(self.model.outputs[0], self.config.outputs)

    @property
    def num_classes(self) -> int:
        """How many classes its scores tell apart: one score, two classes."""
        return max(2, self.model.outputs[0].shape[-1])

    @property
    def is_multi_label(self) -> bool:
        """Whether it may say several classes of one image: it has several outputs, which exclude no other."""
        return self.model.outputs[0].shape[-1] > 1 and not scores.are_exclusive(self.output_kind)

    @property
    def treatment(self) -> Treatment:
        """What is done to the target layer's map if it can be negative."""
        return signed_maps.treatment(self._output(self.config.target_layer))

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """What is explained of one image, `(L, L, D)`: the target layer's map, as `signed_maps` treats it."""
        height, width, channels = self._output(self.config.target_layer).shape[1:]
        return height, width, channels * (2 if self.treatment == "split" else 1)

    def distilled_units(self) -> dict[str, int]:
        """Returns each distilled layer's width, lowest layer first."""
        return {name: self._output(name).shape[-1] for name in self.config.distilled_layers}

    def feature_model(self) -> keras.Model:
        """Returns a model of all that extraction stores; it shares the performer's weights.

        Outputs, by name: the target layer's features `[B, L, L, D]`, never negative (`signed_maps`), each
        distilled layer's `[B, units]` as the performer has it, and `scores`, `[B, classes]`.
        """
        return keras.Model(self.model.inputs[0], self._stored_outputs(), name="features")

    def below_target(self) -> keras.Model:
        """Returns the model from images to the target layer's map as the performer has it."""
        target = self._output(self.config.target_layer)
        return keras.Model(self.model.inputs[0], target, name="below_target")

    def above_target(self) -> keras.Model:
        """Returns the model from what `below_target` makes to what `feature_model` does."""
        return layer_graph.between(self._output(self.config.target_layer), self._stored_outputs())

    def trunk(self) -> keras.Model:
        """Returns a frozen copy of the path from the target layer to what the first distilled layer sees.

        From `[B, L, L, D]` to `[B, inputs]`. A first distilled layer that is not Dense (global pooling) has
        no weights to be learned again: it is the trunk's last layer. Variables are created in the scope in
        which this is called.
        """
        first = self._output(self.config.distilled_layers[0])
        learned_again = dense_weights.has_weights(layer_graph.producer(first))
        end = layer_graph.sources(first)[0] if learned_again else first
        target = self._output(self.config.target_layer)
        if self.treatment != "split":
            return self._copy(target, _flat(end), "trunk")
        features = keras.Input(self.feature_shape, name="above_and_below_zero")
        above = self._copy(target, _flat(end), "above_target")
        return keras.Model(
            features, above(signed_maps.signed(features, self.treatment)), name="trunk", trainable=False
        )

    def head(self) -> keras.Model:
        """Returns a frozen copy of the path from the last distilled layer to the scores' logits.

        From `[B, units]` to `[B, outputs]` float32, see `tf_explainer.scores`.
        """
        last, output = self._output(self.config.distilled_layers[-1]), self.model.outputs[0]
        features = keras.Input((last.shape[-1],), name="distilled")
        logits = output_kind.logits(output, self.output_kind)
        if not layer_graph.depends_on(logits, last):  # The layer lies behind the last activation.
            logits = scores.logits_of(output, self.output_kind)
        if last is logits:
            return keras.Model(features, keras.layers.Identity()(features), name="head")
        shaped = features if len(last.shape) == 2 else keras.layers.Reshape(last.shape[1:])(features)
        return keras.Model(
            features, self._copy(last, logits, "above_distilled")(shaped), name="head", trainable=False
        )

    def distilled_dense(self) -> dict[str, DenseWeights | None]:
        """Returns each distilled layer's weights, lowest layer first; None for those that are not Dense."""
        layers = {name: layer_graph.producer(self._output(name)) for name in self.config.distilled_layers}
        return {name: dense_weights.weights_of(layer) for name, layer in layers.items()}

    def check(self) -> None:
        """Runs what extraction and training make of the network, before anything is stored.

        Raises:
            UserError: the scores depend on chance or on a batch, or trunk or head cannot be copied.
        """
        images = equivalence.drawn_images(self.config.image_size)
        equivalence.check_steady(self.model, images, "the performer")
        self.trunk()
        self.head()

    def receptive_field(self) -> ReceptiveField:
        """Returns where the target layer's units look, in continuous pixels of the input."""
        return receptive_field(self.model, self.config.target_layer)

    @functools.cached_property
    def _places(self) -> Mapping[str, Any]:
        return layer_graph.places(self.model)

    def _output(self, name: str) -> Any:
        return self._places[name]

    def _stored_outputs(self) -> dict[str, Any]:
        target = self._output(self.config.target_layer)
        outputs = {self.config.target_layer: signed_maps.non_negative(target, self.treatment)}
        outputs |= {name: _flat(self._output(name)) for name in self.config.distilled_layers}
        return outputs | {SCORES: self.model.outputs[0]}

    def _copy(self, lower: Any, upper: Any, name: str) -> keras.Model:
        between = [layer_graph.producer(each).name for each in (lower, upper)]
        return frozen_copy(
            layer_graph.between(lower, upper), name, f"a copy of the layers from {between[0]} to {between[1]}"
        )

    def _require(self, name: str, flag: str) -> None:
        if name in self._places:
            return
        if uses := [each for each in self._places if each.rpartition(".")[0] == name]:
            raise UserError(
                f"{flag}={name}: that layer is called {len(uses)} times; name the call that is meant: "
                f"{', '.join(uses)}"
            )
        raise UserError(
            f"{flag}={name}: the performer has no such layer; the nearest: "
            f"{nearest_names(name, self._places)}"
        )

    def _check_target(self) -> None:
        name = self.config.target_layer
        self._require(name, "--target_layer")
        output = self._output(name)
        if not layer_graph.is_map(output):
            raise UserError(f"--target_layer={name} is no feature map: its output is {_shape(output)}")
        own = layer_graph.activation_after(output, self.model.outputs[0])
        if own is not None and not layer_graph.is_activated(output):
            behind = next(each for each, tensor in self._places.items() if tensor is own)
            raise UserError(
                f"--target_layer={name} can be negative, but what its activation makes of it is explained: "
                f"name the layer {behind!r}"
            )

    def _check_distilled(self) -> None:
        lower = self.config.target_layer
        for name in self.config.distilled_layers:
            self._require(name, "--distilled_layers")
            output = self._output(name)
            if not layer_graph.is_vector(output):
                raise UserError(f"--distilled_layers={name} is no vector: its output is {_shape(output)}")
            layer = layer_graph.producer(output)
            if lower != self.config.target_layer and _is_closed(layer):
                raise UserError(
                    f"--distilled_layers={name}: the weights of this {type(layer).__name__} cannot be read "
                    f"({layer.quantization_mode or 'a class of its own'}), so that it can only be the lowest "
                    "of the distilled layers"
                )
            self._check_step(lower, output, f"--distilled_layers={name}")
            lower = name
        self._check_step(lower, self.model.outputs[0], "the performer's output")

    def _check_step(self, lower: str, upper: Any, upper_name: str) -> None:
        below = self._output(lower)
        if below is not upper and not layer_graph.depends_on(upper, below):
            raise UserError(f"{upper_name} does not lie above {lower!r}: name the layers lowest first")
        if not layer_graph.separates(below, upper):
            whole = ", ".join(each.layer for each in layer_selection.candidates(self.model)[-8:])
            raise UserError(
                f"{upper_name} also sees what bypasses {lower!r} (a skip connection): "
                f"choose as --target_layer one that everything passes through: {whole}"
            )


def load_performer(config: PerformerConfig, workdir: WorkDir) -> Performer:
    """Finds the performer: the file named, else the one in the work directory, else the backbone's own head.

    Args:
        config: names file or backbone, and the layers; those that it leaves out are found by a rule
            (`layer_selection`).
        workdir: may hold a `performer.keras`.

    Raises:
        UserError: no performer can be had, the settings do not fit it, or its layers cannot be taken apart
            without becoming another network.
    """
    model = saved_model(config, workdir)
    if model is None:
        model = _backbone_with_head(config, workdir)
        config = class_names.of_own_head(config, model.outputs[0].shape[-1])
    performer = Performer(model, layer_selection.with_layers(model, class_names.named(config)))
    performer.check()
    if config.class_names:
        return performer
    # A file that is named may be another run's, which has its report beside it.
    trained_in = WorkDir(root=os.path.dirname(config.performer)) if config.performer else workdir
    return dataclasses.replace(
        performer, config=class_names.of_training(performer.config, trained_in, performer.fingerprint)
    )


def saved_model(config: PerformerConfig, workdir: WorkDir | None) -> keras.Model | None:
    """Reads the performer's file: the one named, else the one in the work directory; None if there is none.

    Raises:
        UserError: the file is not there, or no model that can be explained.
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
        f"--backbone_weights={weights} {reason}: make a performer by "
        "`python -m tf_explainer.train_performer` with these flags, or name one, --performer=FILE.keras"
    )


def _is_headless(config: PerformerConfig) -> bool:
    if config.backbone_weights == "imagenet":
        return False
    plain = dataclasses.replace(config, backbone_weights="none")
    return backbone_weights.fits(build_backbone(plain), config.backbone_weights)


def _shape(tensor: Any) -> str:
    return "[" + ", ".join(["B", *map(str, tensor.shape[1:])]) + "]"


def _flat(tensor: Any) -> Any:
    return tensor if len(tensor.shape) == 2 else keras.layers.Flatten()(tensor)


def _is_closed(layer: Any) -> bool:
    """Whether a layer is a Dense one that the decoder cannot start from."""
    return isinstance(layer, keras.layers.Dense) and not dense_weights.has_weights(layer)
