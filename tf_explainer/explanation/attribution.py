"""How much each part filter adds to a class score, through decoder and head.

The score is the log-odds of a class, `log p / (1 - p)`, that the performer's head computes from the decoder's
features (`tf_explainer.scores`). Contributions are those of the inputs of the two tracks' norm layers:

    score = baseline + sum_f contribution of part filter f + contribution of the ordinary track + gap

The baseline is the score of the average image: the tracks are computed from the mean features of all images
(`average_image`). The gap is the error of the quadrature (`integrated_gradients`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_explainer.config import AttributionConfig, OutputKind
from tf_explainer.errors import UserError
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explanation import integrated_gradients
from tf_explainer.performer import layer_graph, output_kind
from tf_explainer.scores import log_odds

# How many numbers go through the network at once: 128 points of VGG-16's block5_conv3.
_NUMBERS = 128 * 14 * 14 * 512
_NOTHING = "no activation"
_NORMS = ("norm_interp", "norm_ordin")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribution:
    """Contributions to the score of one class per image, in nats.

    Attributes:
        scores: `[B]`, the log-odds.
        baseline: `[B]`, the score of the same class for the baseline.
        parts: `[B, F]`, contributions of the filters of conv_interp_2.
        ordinary: `[B]`, contributions of the ordinary track.
        interpretable_maps: `[B, L, L]`, contributions of all part filters by place.
        ordinary_maps: `[B, L, L]`, contributions of the ordinary track by place.
    """

    scores: np.ndarray
    baseline: np.ndarray
    parts: np.ndarray
    ordinary: np.ndarray
    interpretable_maps: np.ndarray
    ordinary_maps: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """The error of the attribution, `[B]`: scores minus baseline and contributions."""
        return self.scores - self.baseline - self.parts.sum(axis=1) - self.ordinary

    @classmethod
    def joined(cls, batches: list[Attribution]) -> Attribution:
        """Concatenates batches."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


class TrackAttributor:
    """Attributes scores to two tracks of activations.

    The network first joins the tracks in an affine sum, whose channel k depends on channel k of each track
    alone. A straight line between tracks is therefore also a straight line between their sums, which are
    smaller. The gradient is taken with respect to the sum at each point of the line, and propagated back to
    the tracks only once.

    Args:
        tracks: model from a network's input to two tensors `[B, L, L, F]`, the interpretable track first.
        join: model from the tracks to their sum, `[B, ..., F]`.
        above: model from the sum to the log-odds of all classes, `[B, classes]`.
        baselines: of the two tracks; each broadcasts to its track.
        config: the method.
        origin: names the baseline, for `method`.

    Attributes:
        tracks, join, above, baselines: the arguments; `gradient_x_activation` sets the baselines to 0.
        scores: model from the two tracks to the log-odds.
        scores_of_shares: function of tracks `[B, L, L, F]` and shares `[G, F]` in 0 to 1. Returns log-odds
            `[B, G + 1, classes]`: for each row of shares, the interpretable track is interpolated filter by
            filter between its baseline (0) and itself (1); in the last row, the ordinary track is its
            baseline.
        nodes: where gradients are taken on the path from the baselines, `[N]`.
        method: the method and its baseline, in words.
    """

    def __init__(
        self,
        tracks: keras.Model,
        join: keras.Model,
        above: keras.Model,
        baselines: list[Any],
        config: AttributionConfig,
        origin: str = _NOTHING,
    ) -> None:
        self.tracks, self.join, self.above = tracks, join, above
        ends = [keras.Input(batch_shape=track.shape) for track in join.inputs]
        self.scores = keras.Model(ends, above(join(ends)))
        self.nodes = integrated_gradients.nodes(config)
        zero = config.method == "gradient_x_activation"
        how = "gradient x activation" if zero else f"integrated gradients in {config.steps} steps"
        self.method = f"{how}, from {_NOTHING if zero else origin}"
        self.baselines = [0 * baseline if zero else baseline for baseline in baselines]
        ends = [tf.TensorSpec((None, *track.shape[1:]), tf.float32) for track in join.inputs]
        self._compiled = tf.function(
            self._attribute, input_signature=[ends, tf.TensorSpec([None], tf.int32)], autograph=False
        )
        shares = tf.TensorSpec([None, join.output_shape[-1]], tf.float32)
        self.scores_of_shares = tf.function(
            self._scores_of_shares, input_signature=[ends, shares], autograph=False
        )

    def log_odds(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the scores of all classes, `[B, classes]` float32, for network inputs `[B, ...]`."""
        return np.asarray(self.scores(self.activations(inputs), training=False))

    def activations(self, inputs: np.ndarray) -> list[Any]:
        """Returns both tracks, `[B, L, L, F]` each, for network inputs `[B, ...]`."""
        return list(self.tracks(tf.convert_to_tensor(inputs, tf.float32), training=False))

    def attribute(self, inputs: np.ndarray, classes: np.ndarray) -> Attribution:
        """Attributes one score per image.

        Args:
            inputs: of the network, `[B, ...]`.
            classes: `[B]` int, whose scores to attribute.
        """
        return self.attribute_tracks(self.activations(inputs), classes)

    def attribute_tracks(self, tracks: list[Any], classes: np.ndarray) -> Attribution:
        """Attributes one score per image, like `attribute`, for tracks `[B, L, L, F]` from `activations`."""
        size = self.images_at_once(tracks, len(self.nodes))
        batches = []
        for first in range(0, len(classes), size):
            rows = slice(first, first + size)
            found = self._compiled([track[rows] for track in tracks], tf.constant(classes[rows], tf.int32))
            batches.append(Attribution(**{name: value.numpy() for name, value in found.items()}))
        return Attribution.joined(batches)

    def images_at_once(self, tracks: list[Any], points: int) -> int:
        """Returns how many images can go through the network at once.

        Args:
            tracks: `[B, L, L, F]` each.
            points: number of points per image.
        """
        joined = self.join.output_shape[1:]
        # A network that takes images of any size has no static map size.
        numbers = math.prod(tracks[0].shape[1:] if None in joined else joined)
        return max(1, _NUMBERS // (points * numbers))

    def _attribute(self, tracks: list[Any], classes: Any) -> dict[str, Any]:
        """Computes the fields of `Attribution` in one graph."""
        log_odds, of_baseline, by_part, by_rest = self.shared_out(tracks, classes)
        by_part, by_rest = (tf.cast(units, tf.float64) for units in (by_part, by_rest))
        return {
            "scores": tf.cast(tf.gather(log_odds, classes, axis=1, batch_dims=1), tf.float64),
            "baseline": tf.cast(tf.gather(of_baseline, classes), tf.float64),
            "parts": tf.reduce_sum(by_part, (1, 2)),
            "ordinary": tf.reduce_sum(by_rest, (1, 2, 3)),
            "interpretable_maps": tf.reduce_sum(by_part, 3),
            "ordinary_maps": tf.reduce_sum(by_rest, 3),
        }

    def shared_out(self, tracks: list[Any], classes: Any) -> tuple[Any, Any, Any, Any]:
        """Attributes one score per image; must be called in a `tf.function`.

        Args:
            tracks: `[B, L, L, F]` each.
            classes: `[B]` int32, whose scores to attribute.

        Returns:
            The log-odds of all classes, `[B, classes]`; those of the baseline, `[classes]`; and the
            contributions of the units of each track, `[B, L, L, F]` twice.
        """
        one_baseline = [
            tf.broadcast_to(each, tf.concat([[1], tf.shape(track)[1:]], axis=0))
            for each, track in zip(self.baselines, tracks, strict=True)
        ]
        joined, baseline = (self.join(ends, training=False) for ends in (tracks, one_baseline))
        path = integrated_gradients.points(joined, baseline, self.nodes)
        log_odds, of_baseline = (self.above(end, training=False) for end in (joined, baseline))
        of_path = tf.reshape(self.above(path, training=False), [-1, len(self.nodes), log_odds.shape[-1]])
        (gradient,) = tf.gradients(of_path * tf.one_hot(classes, log_odds.shape[-1])[:, None], path)
        mean = integrated_gradients.mean_over_points(gradient, len(self.nodes))
        by_part, by_rest = (
            (track - baseline) * gradient
            for track, baseline, gradient in zip(
                tracks, self.baselines, tf.gradients(joined, tracks, mean), strict=True
            )
        )
        return log_odds, of_baseline[0], by_part, by_rest

    def _scores_of_shares(self, tracks: list[Any], shares: Any) -> Any:
        nothing = [
            tf.broadcast_to(baseline, tf.shape(track))
            for baseline, track in zip(self.baselines, tracks, strict=True)
        ]
        full, without_parts, without_rest = (
            self.join(both, training=False)
            for both in (tracks, [nothing[0], tracks[1]], [tracks[0], nothing[1]])
        )
        some = integrated_gradients.points(full, without_parts, shares)
        of_shares, of_parts = (self.above(joined, training=False) for joined in (some, without_rest))
        by_image = tf.reshape(of_shares, [-1, tf.shape(shares)[0], of_shares.shape[-1]])
        return tf.concat([by_image, of_parts[:, None]], axis=1)


class Attributor(TrackAttributor):
    """Attributes an explainer's scores to the inputs of its two norm layers.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        kind: of the performer's outputs.
        mean_features: `[L, L, D]`, the mean features of the target layer.
        config: the method; None: the default.
    """

    def __init__(
        self,
        explainer: Explainer,
        head: keras.Model,
        kind: OutputKind,
        mean_features: np.ndarray,
        config: AttributionConfig | None = None,
    ) -> None:
        norms = [explainer.get_layer(name) for name in _NORMS]
        tracks = keras.Model(explainer.input, [norm.input for norm in norms])
        average = tracks(ops.convert_to_tensor(mean_features[None], "float32"), training=False)
        decoded = explainer.output[explainer.distilled[-1].name]
        pooled = layer_graph.averages(explainer.trunk)
        joined = (
            explainer.get_layer("fc_dec_1_scale").input
            if pooled
            else explainer.get_layer("decoder_scale").output
        )
        super().__init__(
            tracks,
            keras.Model(tracks.outputs, joined),
            layer_graph.between(joined, LogOdds(kind)(head(decoded))),
            [ops.convert_to_numpy(track) for track in average],
            config or AttributionConfig(),
            "the average image",
        )


class LayerAttributor(TrackAttributor):
    """Attributes a classifier's scores to the filters of one of its layers, without an ordinary track.

    The mean activations of the layer are not known here, so the baseline is zero.

    Args:
        model: a functional classifier with one input.
        layer: the layer's name; `relu.2` for the second call of a layer that is called several times.
        outputs: what the model's outputs are, like the flag of that name.
        config: the method; None: the default.

    Attributes:
        kind: of the outputs.

    Raises:
        UserError: the layer does not exist, the scores also depend on activations that bypass it, or the kind
            of outputs cannot be derived.
    """

    def __init__(
        self, model: keras.Model, layer: str, outputs: str = "auto", config: AttributionConfig | None = None
    ) -> None:
        scores = model.outputs[0]
        maps = _deciding(model, layer)
        self.kind = output_kind.output_kind(scores, outputs)
        above = layer_graph.between(maps, LogOdds(self.kind)(output_kind.logits(scores, self.kind)))
        filters, nothing = keras.Input(maps.shape[1:]), keras.Input(maps.shape[1:])
        super().__init__(
            keras.Model(model.inputs[0], [maps, ops.zeros_like(maps)]),
            keras.Model([filters, nothing], filters + nothing),
            above,
            [np.float32(0), np.float32(0)],
            config or AttributionConfig(),
        )


def _deciding(model: keras.Model, layer: str) -> Any:
    """Returns the maps of a layer; raises UserError unless the scores depend on them alone."""
    maps, scores = layer_graph.place(model, layer), model.outputs[0]
    if not layer_graph.separates(maps, scores):
        separating = {
            name: each
            for name, each in layer_graph.places(model).items()
            if layer_graph.separates(each, scores)
        }
        usable = [name for name, each in separating.items() if layer_graph.is_map(each)]
        raise UserError(
            f"the scores do not depend on layer {layer!r} alone: choose a layer that everything passes "
            f"through, such as {', '.join(usable or list(separating)[-1:])}"
        )
    return maps


class LogOdds(keras.layers.Layer):
    """`log p / (1 - p)` of all classes, `[B, classes]`, from logits `[B, outputs]`.

    Args:
        kind: of the logits.
    """

    def __init__(self, kind: OutputKind) -> None:
        super().__init__()
        self._kind = kind

    def call(self, logits: Any) -> Any:
        """Computes the log-odds in float32."""
        return log_odds(ops.cast(logits, "float32"), self._kind)
