"""How much each part filter adds to a class score: gradient times activation, through decoder and head.

The score is the log-odds of a class, `log p / (1 - p)`, by the performer's head on the decoder's features
(`tf_explainer.scores`).
With `a` what the two tracks hand to their norm layers,

    score = sum_f sum_ij a_f (d score / d a_f) + the same of the ordinary track + remainder.

Between the tracks and the log-odds of two classes everything is linear but for ReLUs and max-poolings, so
the remainder is what the biases add; with more classes it also holds the curvature of the softmax. (R. R.
Selvaraju et al., arXiv:1610.02391, take the same products without their sum.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tf_explainer.config import OutputKind
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.performer import output_kind
from tf_explainer.scores import log_odds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attribution:
    """Contributions to one class score an image, in nats; they and the remainder sum to the score.

    Attributes:
        scores: `[B]`, the log-odds.
        parts: `[B, F]`, of each filter of conv_interp_2.
        ordinary: `[B]`, of the ordinary track.
        interpretable_maps: `[B, L, L]`, the contributions of all part filters by place.
        ordinary_maps: `[B, L, L]`, those of the ordinary track.
    """

    scores: np.ndarray
    parts: np.ndarray
    ordinary: np.ndarray
    interpretable_maps: np.ndarray
    ordinary_maps: np.ndarray

    @property
    def remainder(self) -> np.ndarray:
        """What neither track contributes, `[B]`."""
        return self.scores - self.parts.sum(axis=1) - self.ordinary

    @classmethod
    def joined(cls, batches: list[Attribution]) -> Attribution:
        """Puts batches after one another."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})


class Attributor:
    """Attributes scores to parts.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        kind: what the logits are of.

    Attributes:
        tracks: from the target layer's features `[B, L, L, D]` to what either track hands to its norm layer,
            two tensors `[B, L, L, D]`, interpretable first.
        scores: from there to the log-odds of all classes, `[B, classes]`.
    """

    def __init__(self, explainer: Explainer, head: keras.Model, kind: OutputKind) -> None:
        tracks = [explainer.get_layer(name).input for name in ("norm_interp", "norm_ordin")]
        decoded = explainer.output[explainer.distilled[-1].name]
        self.tracks = keras.Model(explainer.input, tracks)
        self.scores = keras.Model(tracks, LogOdds(kind)(head(decoded)))

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Returns the scores of all classes.

        Args:
            features: the target layer's, `[B, L, L, D]`.

        Returns:
            `[B, classes]` float32; two classes where the performer has one output.
        """
        tracks = self.tracks(tf.convert_to_tensor(features, tf.float32), training=False)
        return np.asarray(self.scores(tracks, training=False))

    def attribute(self, features: np.ndarray, classes: np.ndarray) -> Attribution:
        """Attributes one score an image.

        Args:
            features: the target layer's, `[B, L, L, D]`.
            classes: `[B]` int, whose scores.
        """
        tracks = self.tracks(tf.convert_to_tensor(features, tf.float32), training=False)
        return _attribution(lambda activations: self.scores(activations, training=False), tracks, classes)


class LayerAttributor:
    """Attributes a classifier's scores to the filters of one of its layers.

    Args:
        model: a functional classifier of one input.
        layer: its name; the scores see nothing that does not pass through it.
        outputs: what the model's outputs are, as the flag of that name.

    Raises:
        UserError: what the outputs mean cannot be told.
    """

    def __init__(self, model: keras.Model, layer: str, outputs: str = "auto") -> None:
        maps, scores = model.get_layer(layer).output, model.outputs[0]
        kind = output_kind.output_kind(scores, outputs)
        self._below = keras.Model(model.inputs[0], maps)
        self._above = keras.Model(maps, LogOdds(kind)(output_kind.logits(scores, kind)))

    def log_odds(self, images: np.ndarray) -> np.ndarray:
        """Returns the scores of all classes, `[B, classes]` float32.

        Args:
            images: `[B, H, W, 3]`, as the model takes them.
        """
        return np.asarray(self._above(self._activations(images), training=False))

    def attribute(self, images: np.ndarray, classes: np.ndarray) -> Attribution:
        """Attributes one score an image; there is no ordinary track.

        Args:
            images: `[B, H, W, 3]`, as the model takes them.
            classes: `[B]` int, whose scores.
        """
        activations = self._activations(images)
        return _attribution(
            lambda both: self._above(both[0] + both[1], training=False),
            [activations, tf.zeros_like(activations)],
            classes,
        )

    def _activations(self, images: np.ndarray) -> Any:
        return self._below(tf.convert_to_tensor(images, tf.float32), training=False)


def _attribution(
    scores_of: Callable[[list[Any]], Any], tracks: list[Any], classes: np.ndarray
) -> Attribution:
    with tf.GradientTape() as tape:
        tape.watch(tracks)
        scores = tf.gather(scores_of(tracks), classes, axis=1, batch_dims=1)
    gradients = tape.gradient(scores, tracks)
    by_part, by_rest = (
        np.asarray(activations * gradient, np.float64)
        for activations, gradient in zip(tracks, gradients, strict=True)
    )
    return Attribution(
        scores=np.asarray(scores, np.float64),
        parts=by_part.sum(axis=(1, 2)),
        ordinary=by_rest.sum(axis=(1, 2, 3)),
        interpretable_maps=by_part.sum(axis=3),
        ordinary_maps=by_rest.sum(axis=3),
    )


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
