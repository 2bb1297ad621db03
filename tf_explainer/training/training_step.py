"""One optimizer step over all replicas, compiled as a whole."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_explainer.config import TrainConfig
from tf_explainer.explainer import cross_replica
from tf_explainer.explainer.explainer import FEATURES, INTERPRETABLE_LAYERS, Explainer
from tf_explainer.training.optimizer import GroupedAdam

# What a step reports beside the loss terms.
IMAGES, STOPPING, GRADIENT_NORM = "images", "stopping", "gradient_norm"
_SQUARE = "gradient_square/"


class TrainingStep:
    """Forward, backward and update of one batch, the same for any number of replicas.

    The update happens only if every loss term and the gradient are finite: otherwise the variables are after
    the step what they were before it (running statistics excepted).

    Args:
        explainer: built, with its optimizer, in the strategy's scope.
        optimizer: one that leaves summing over replicas to the step.
        strategy: the replicas.
        target: name of the explained layer in the batches.
        config: clipping and compilation.
    """

    def __init__(
        self,
        explainer: Explainer,
        optimizer: GroupedAdam,
        strategy: tf.distribute.Strategy,
        target: str,
        config: TrainConfig,
    ) -> None:
        self._explainer, self._optimizer, self._strategy = explainer, optimizer, strategy
        self._target, self._clip = target, config.gradient_clip
        self._xla = config.xla
        # What stands in the vectors that the compiled step computes; known once it is traced.
        self._shared: list[str] = []
        self._names: list[str] = []
        self._compiled: Any = None
        if config.xla and strategy.num_replicas_in_sync > 1:
            # One XLA program cannot hold reductions over replicas; XLA finds what lies between them.
            tf.config.optimizer.set_jit("autoclustering")

    def __call__(
        self, batch: Any, specification: Any, stopping: bool = False, filter_factor: float = 1.0
    ) -> dict[str, float]:
        """Runs the step.

        Args:
            batch: a per-replica dictionary of the layers' features.
            specification: of such batches (`element_spec`), whatever their size.
            stopping: whether this process wants to end.
            filter_factor: by which the weight of the filter losses is multiplied.

        Returns:
            Every loss term, unweighted, by name; with `loss` (their weighted sum), `part_share` as p itself,
            `live_filters` (share of conv_interp_2's filters with a response in the batch), `gradient_norm`
            (before clipping), `images`, `stopping` (how many replicas want to end) and the squared gradient
            norm by layer.
        """
        if self._compiled is None:
            self._compiled = tf.function(
                self._whole,
                input_signature=[specification, *[tf.TensorSpec((), tf.float32)] * 2],
                jit_compile=True if self._xla and self._strategy.num_replicas_in_sync == 1 else None,
                autograph=False,
            )
        scalars = tf.constant(stopping, tf.float32), tf.constant(filter_factor, tf.float32)
        vector = self._compiled(batch, *scalars).numpy()
        values = dict(zip(self._names, map(float, vector), strict=True))
        values[GRADIENT_NORM] = math.sqrt(sum(v for name, v in values.items() if name.startswith(_SQUARE)))
        return values

    def _whole(self, batch: Any, stopping: tf.Tensor, filter_factor: tf.Tensor) -> tf.Tensor:
        arguments = (batch, stopping, filter_factor)
        gradients, shares, squares = self._strategy.run(self._gradients, args=arguments)
        total = dict(
            zip(self._shared, tf.unstack(self._strategy.reduce("SUM", shares, axis=None)), strict=True)
        )
        total["loss"] = self._explainer.total_loss(total, filter_factor)
        total["part_share"] = self._explainer.get_layer("mix").part_share()
        # Every replica has the same sums, so any one will do.
        total |= {
            name: self._strategy.experimental_local_results(value)[0] for name, value in squares.items()
        }
        self._names = list(total)
        vector = tf.stack(list(total.values()))
        tf.cond(
            tf.reduce_all(tf.math.is_finite(vector)),
            lambda: self._strategy.run(
                self._update, args=(gradients, tf.add_n(list(squares_of(total).values())))
            ),
            lambda: None,
        )
        return vector

    def _gradients(self, batch: dict[str, Any], stopping: tf.Tensor, filter_factor: tf.Tensor) -> Any:
        targets = {name: tf.cast(value, tf.float32) for name, value in batch.items()}
        features = targets.pop(self._target)
        with tf.GradientTape() as tape:
            outputs = self._explainer(features, training=True)
            terms = self._explainer.loss_terms({FEATURES: features} | targets, outputs, training=True)
            loss = self._explainer.total_loss(terms, filter_factor)
        variables = self._explainer.trainable_variables
        gradients = cross_replica.total(tape.gradient(loss, variables))
        shares = terms | {
            "live_filters": _live_share(outputs),
            IMAGES: cross_replica.image_count(features),
            STOPPING: stopping,
        }
        # One vector, so that replicas meet once.
        self._shared = list(shares)
        vector = tf.stack([tf.cast(share, tf.float32) for share in shares.values()])
        return gradients, vector, _squares_by_layer(variables, gradients)

    def _update(self, gradients: list[tf.Tensor], square: tf.Tensor) -> None:
        if self._clip:
            factor = tf.minimum(1.0, self._clip / tf.maximum(tf.sqrt(square), 1e-30))
            gradients = [gradient * factor for gradient in gradients]
        self._optimizer.apply(gradients, self._explainer.trainable_variables)


def squares_of(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the squared gradient norms among a step's values, by layer."""
    return {name.removeprefix(_SQUARE): v for name, v in values.items() if name.startswith(_SQUARE)}


def _squares_by_layer(variables: list[Any], gradients: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    squares: dict[str, tf.Tensor] = {}
    for variable, gradient in zip(variables, gradients, strict=True):
        name = _SQUARE + variable.path.split("/")[-2]
        square = 2 * tf.nn.l2_loss(gradient)
        squares[name] = squares[name] + square if name in squares else square
    return squares


def _live_share(outputs: dict[str, Any]) -> Any:
    peaks = cross_replica.maximum(tf.reduce_max(outputs[INTERPRETABLE_LAYERS[-1]], axis=(0, 1, 2)))
    return tf.reduce_mean(tf.cast(peaks > 0, tf.float32)) / cross_replica.replicas()
