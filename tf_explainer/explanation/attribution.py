"""How much each part filter adds to a class score, through decoder and head.

The score is the log-odds of a class, `log p / (1 - p)`, by the performer's head on the decoder's features
(`tf_explainer.scores`).
With what the two tracks hand to their norm layers,

    score = baseline + sum_f contribution of part filter f + contribution of the ordinary track + gap

where the baseline is the score of the average image, of what the tracks make of the mean of all images'
features (`average_image`), and the gap is the error of the quadrature (`integrated_gradients`). Contributions
add up to what lies between the two scores, up to the gap.
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

# Numbers in the points that go through the network at once: 128 points of VGG-16's block5_conv3.
_NUMBERS = 128 * 14 * 14 * 512
_NOTHING = "no activation"
_NORMS = ("norm_interp", "norm_ordin")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribution:
    """Contributions to one class score an image, in nats.

    Attributes:
        scores: `[B]`, the log-odds.
        baseline: `[B]`, the same class's score of the baseline.
        parts: `[B, F]`, of each filter of conv_interp_2.
        ordinary: `[B]`, of the ordinary track.
        interpretable_maps: `[B, L, L]`, the contributions of all part filters by place.
        ordinary_maps: `[B, L, L]`, those of the ordinary track.
    """

    scores: np.ndarray
    baseline: np.ndarray
    parts: np.ndarray
    ordinary: np.ndarray
    interpretable_maps: np.ndarray
    ordinary_maps: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """What is missing to the score: the error of the attribution itself, `[B]`."""
        return self.scores - self.baseline - self.parts.sum(axis=1) - self.ordinary

    @classmethod
    def joined(cls, batches: list[Attribution]) -> Attribution:
        """Puts batches after one another."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


class TrackAttributor:
    """Attributes scores to two tracks of activations.

    What scores make of the tracks begins with a sum that is affine, and goes channel by channel: channel k of
    it is made of channel k of either track. So a straight line between tracks is one between such sums, which
    are smaller; the gradient is taken there, and led back to the tracks once, whatever the number of points.

    Args:
        tracks: from a network's input to two tensors `[B, L, L, F]`, interpretable first.
        join: from there to that sum, `[B, ..., F]`.
        above: from the sum to the log-odds of all classes, `[B, classes]`.
        baselines: of either track, what broadcasts to it.
        config: the method.
        origin: what the baselines are of, in words.

    Attributes:
        tracks, join, above, baselines: the arguments.
        scores: from the two tracks to the log-odds.
        scores_of_shares: from tracks `[B, L, L, F]` and shares `[G, F]` in 0 to 1 to the log-odds
            `[B, G + 1, classes]` where so much of each filter of the interpretable track is its own and the
            rest the baseline's, and at last where all of the ordinary track is the baseline.
        nodes: where on the path from the baselines gradients are taken, `[N]`.
        method: in words.
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
        """Returns the scores of all classes, `[B, classes]` float32.

        Args:
            inputs: the network's, `[B, ...]`.
        """
        return np.asarray(self.scores(self.activations(inputs), training=False))

    def activations(self, inputs: np.ndarray) -> list[Any]:
        """Returns both tracks, `[B, L, L, F]` each, on a network's inputs `[B, ...]`."""
        return list(self.tracks(tf.convert_to_tensor(inputs, tf.float32), training=False))

    def attribute(self, inputs: np.ndarray, classes: np.ndarray) -> Attribution:
        """Attributes one score an image.

        Args:
            inputs: the network's, `[B, ...]`.
            classes: `[B]` int, whose scores.
        """
        return self.attribute_tracks(self.activations(inputs), classes)

    def attribute_tracks(self, tracks: list[Any], classes: np.ndarray) -> Attribution:
        """Attributes one score an image.

        Args:
            tracks: `[B, L, L, F]` each, from `activations`.
            classes: `[B]` int, whose scores.
        """
        size = self.images_at_once(tracks, len(self.nodes))
        batches = []
        for first in range(0, len(classes), size):
            rows = slice(first, first + size)
            found = self._compiled([track[rows] for track in tracks], tf.constant(classes[rows], tf.int32))
            batches.append(Attribution(**{name: value.numpy() for name, value in found.items()}))
        return Attribution.joined(batches)

    def images_at_once(self, tracks: list[Any], points: int) -> int:
        """Returns how many images go through the network at once, with so many points each.

        Args:
            tracks: `[B, L, L, F]` each.
            points: on an image's line.
        """
        joined = self.join.output_shape[1:]
        # Networks that take images of any size do not know the size of their maps.
        numbers = math.prod(tracks[0].shape[1:] if None in joined else joined)
        return max(1, _NUMBERS // (points * numbers))

    def _attribute(self, tracks: list[Any], classes: Any) -> dict[str, Any]:
        """Computes the fields of `Attribution`, as one graph."""
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
        """Attributes one score an image; to be called in a `tf.function`.

        Args:
            tracks: `[B, L, L, F]` each.
            classes: `[B]` int32, whose scores.

        Returns:
            The log-odds of all classes, `[B, classes]`, and those of the baseline, `[classes]`; and what each
            unit of either track contributes, `[B, L, L, F]`.
        """
        joined, baseline = (self.join(ends, training=False) for ends in (tracks, self._one_baseline(tracks)))
        path = integrated_gradients.points(joined, baseline, self.nodes)
        log_odds, of_baseline = (self.above(end, training=False) for end in (joined, baseline))
        of_path = tf.reshape(self.above(path, training=False), [-1, len(self.nodes), log_odds.shape[-1]])
        (gradient,) = tf.gradients(of_path * tf.one_hot(classes, log_odds.shape[-1])[:, None], path)
        mean = integrated_gradients.mean_over_points(gradient, len(self.nodes))
        by_part, by_rest = (
            (track - baseline) * led_back
            for track, baseline, led_back in zip(
                tracks, self.baselines, tf.gradients(joined, tracks, mean), strict=True
            )
        )
        return log_odds, of_baseline[0], by_part, by_rest

    def _one_baseline(self, tracks: list[Any]) -> list[Any]:
        """Returns the baselines as one image's tracks, `[1, L, L, F]` each."""
        return [
            tf.broadcast_to(each, tf.concat([[1], tf.shape(track)[1:]], axis=0))
            for each, track in zip(self.baselines, tracks, strict=True)
        ]

    def _scores_of_shares(self, tracks: list[Any], shares: Any) -> Any:
        nothing = [
            tf.broadcast_to(baseline, tf.shape(track))
            for baseline, track in zip(self.baselines, tracks, strict=True)
        ]
        whole, without_parts, without_rest = (
            self.join(both, training=False)
            for both in (tracks, [nothing[0], tracks[1]], [tracks[0], nothing[1]])
        )
        some = integrated_gradients.points(whole, without_parts, shares)
        of_shares, of_parts = (self.above(joined, training=False) for joined in (some, without_rest))
        by_image = tf.reshape(of_shares, [-1, tf.shape(shares)[0], of_shares.shape[-1]])
        return tf.concat([by_image, of_parts[:, None]], axis=1)


class Attributor(TrackAttributor):
    """Attributes an explainer's scores to its two tracks, as they are handed to the norm layers.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        kind: what the logits are of.
        mean_features: `[L, L, D]`, the target layer's on the average image.
        config: the method; None: as by default.
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
    """Attributes a classifier's scores to the filters of one of its layers; there is no ordinary track.

    What that layer does on average is not known here: the baseline is no activation at all.

    Args:
        model: a functional classifier of one input.
        layer: its name, `relu.2` for the second call of one that is called several times.
        outputs: what the model's outputs are, as the flag of that name.
        config: the method; None: as by default.

    Attributes:
        kind: of the outputs.

    Raises:
        UserError: there is no such layer, the scores see what does not pass through it, or what the outputs
            mean cannot be told.
    """

    def __init__(
        self, model: keras.Model, layer: str, outputs: str = "auto", config: AttributionConfig | None = None
    ) -> None:
        scores = model.outputs[0]
        maps = _deciding(model, layer)
        kind = output_kind.output_kind(scores, outputs)
        self.kind = kind
        above = layer_graph.between(maps, LogOdds(kind)(output_kind.logits(scores, kind)))
        filters, nothing = keras.Input(maps.shape[1:]), keras.Input(maps.shape[1:])
        super().__init__(
            keras.Model(model.inputs[0], [maps, ops.zeros_like(maps)]),
            keras.Model([filters, nothing], filters + nothing),
            above,
            [np.float32(0), np.float32(0)],
            config or AttributionConfig(),
            _NOTHING,
        )


def _deciding(model: keras.Model, layer: str) -> Any:
    """Returns the maps of a layer that everything the scores know passes through."""
    maps, scores = layer_graph.place(model, layer), model.outputs[0]
    if not layer_graph.separates(maps, scores):
        whole = [
            name for name, each in layer_graph.places(model).items() if layer_graph.separates(each, scores)
        ]
        fit = [name for name in whole if layer_graph.is_map(layer_graph.place(model, name))]
        raise UserError(
            f"the scores do not depend on layer {layer!r} alone: choose one that everything passes through, "
            f"such as {', '.join(fit or whole[-1:])}"
        )
    return maps


class LogOdds(keras.layers.Layer):
    """`log p / (1 - p)` of all classes, `[B, classes]`, from logits `[B, outputs]`.

    Args:
        kind: what the logits are of.
    """

    def __init__(self, kind: OutputKind) -> None:
        super().__init__()
        self._kind = kind

    def call(self, logits: Any) -> Any:
        """Computes them in float32."""
        return log_odds(ops.cast(logits, "float32"), self._kind)
