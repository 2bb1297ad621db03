"""One optimizer step over all replicas, compiled into a single function."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_explainer.config import TrainConfig
from tf_explainer.explainer import cross_replica
from tf_explainer.explainer.explainer import FEATURES, INTERPRETABLE_LAYERS, Explainer
from tf_explainer.training.optimizer import GroupedAdam

# Names of the values that a step returns besides the loss terms.
IMAGES, STOPPING, GRADIENT_NORM, GRADIENT_SQUARE = "images", "stopping", "gradient_norm", "gradient_square/"


class TrainingStep:
    """Forward pass, backward pass and update for one batch, the same for any number of replicas.

    If a loss term or the gradient is not finite, the variables are not updated (except running statistics).

    Args:
        explainer: the explainer, built with its optimizer in the strategy's scope.
        optimizer: the optimizer; gradients are summed over replicas before they are passed to it.
        strategy: the replicas.
        target: name of the target layer in the batches.
        config: settings for clipping and compilation.
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
        # Names of the entries of the vectors that the compiled step computes, known once it is traced.
        self._shared: list[str] = []
        self._names: list[str] = []
        self._compiled: Any = None
        if config.xla and strategy.num_replicas_in_sync > 1:
            # One XLA program cannot contain reductions over replicas; XLA compiles the code between them.
            tf.config.optimizer.set_jit("autoclustering")

    def __call__(
        self, batch: Any, specification: Any, stopping: bool = False, filter_factor: float = 1.0
    ) -> dict[str, float]:
        """Runs the step.

        Args:
            batch: a per-replica dictionary of the layers' features.
            specification: the `element_spec` of the batches, for any batch size.
            stopping: whether this process has been asked to stop.
            filter_factor: factor of the weight of the filter losses.

        Returns:
            By name: every loss term, unweighted, except that `part_share` is p itself; `loss` (the weighted
            sum); `live_filters` (share of conv_interp_2's filters with a response in the batch);
            `gradient_norm` (before clipping); `images`; `stopping` (number of replicas asked to stop); and
            the squared gradient norm of each layer.
        """
        if self._compiled is None:
            self._compiled = tf.function(
                self._run_step,
                input_signature=[specification, *[tf.TensorSpec((), tf.float32)] * 2],
                jit_compile=True if self._xla and self._strategy.num_replicas_in_sync == 1 else None,
                autograph=False,
            )
        scalars = tf.constant(stopping, tf.float32), tf.constant(filter_factor, tf.float32)
        vector = self._compiled(batch, *scalars).numpy()
        values = dict(zip(self._names, map(float, vector), strict=True))
        values[GRADIENT_NORM] = math.sqrt(sum(squares_of(values).values()))
        return values

    def _run_step(self, batch: Any, stopping: tf.Tensor, filter_factor: tf.Tensor) -> tf.Tensor:
        arguments = (batch, stopping, filter_factor)
        gradients, shares, squares = self._strategy.run(self._gradients, args=arguments)
        sums = tf.unstack(self._strategy.reduce("SUM", shares, axis=None))
        total = dict(zip(self._shared, sums, strict=True))
        total["loss"] = self._explainer.total_loss(total, filter_factor)
        total["part_share"] = self._explainer.get_layer("mix").part_share()
        # The squares are the same on every replica, so the first one's are used.
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
        # One vector, so that a single reduction over replicas is enough.
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
    squares = {name: value for name, value in values.items() if name.startswith(GRADIENT_SQUARE)}
    return {name.removeprefix(GRADIENT_SQUARE): value for name, value in squares.items()}


def _squares_by_layer(variables: list[Any], gradients: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    squares: dict[str, tf.Tensor] = {}
    for variable, gradient in zip(variables, gradients, strict=True):
        name = GRADIENT_SQUARE + variable.path.split("/")[-2]
        square = 2 * tf.nn.l2_loss(gradient)
        squares[name] = squares[name] + square if name in squares else square
    return squares


def _live_share(outputs: dict[str, Any]) -> Any:
    peaks = cross_replica.maximum(tf.reduce_max(outputs[INTERPRETABLE_LAYERS[-1]], axis=(0, 1, 2)))
    return tf.reduce_mean(tf.cast(peaks > 0, tf.float32)) / cross_replica.replicas()
