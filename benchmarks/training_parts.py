"""The parts of a training step, each to be measured separately, at the shapes of one performer's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from benchmarks.synthetic_features import random_features
from benchmarks.vgg_explainer import explainer_of
from tf_explainer.config import TrainConfig
from tf_explainer.explainer import filter_losses, layers, templates
from tf_explainer.features.schema import SCORES
from tf_explainer.training import distribution, precision
from tf_explainer.training.optimizer import GroupedAdam
from tf_explainer.training.training_step import TrainingStep

Batch = Mapping[str, np.ndarray]
Work = Callable[[], object]


def random_batch(
    shape: tuple[int, ...], units: Mapping[str, int], images: int, classes: int | None = None
) -> dict[str, np.ndarray]:
    """Returns features and scores of some images, as read from shards: one score, or one for each class."""
    random = np.random.default_rng(1)
    features = [random_features(random, shape, units) for _ in range(images)]
    said = np.eye(classes)[random.integers(0, classes, images)] if classes else np.ones((images, 1))
    scores = {SCORES: said.astype(np.float32)}
    return {name: np.stack([image[name] for image in features]) for name in features[0]} | scores


def units_of(batch: Batch) -> dict[str, int]:
    """Returns the distilled layers' widths by name."""
    return {name: values.shape[1] for name, values in batch.items() if name not in ("target", SCORES)}


def whole_step(
    strategy: tf.distribute.Strategy,
    shape: tuple[int, ...],
    units: Mapping[str, int],
    *,
    classes: int | None = None,
    dtype: str = "float32",
    xla: bool = False,
) -> TrainingStep:
    """Returns the trainer's own step, with a compute dtype, and optionally compiled by XLA."""
    with strategy.scope():
        explainer = explainer_of(shape, units, classes)
        precision.set_compute_dtype(explainer, dtype)
        optimizer = GroupedAdam(1e-4, {"mix": 200.0}, gradients_are_summed=True)
        optimizer.build(explainer.trainable_variables)
    return TrainingStep(explainer, optimizer, strategy, "target", TrainConfig(xla=xla))


def in_memory(strategy: tf.distribute.Strategy, batch: Batch) -> Any:
    """Returns a data set that repeats a batch, distributed by a strategy."""
    repeated = tf.data.Dataset.from_tensors(batch).repeat()
    return distribution.distribute(strategy, lambda divide: divide(repeated))


def bare_step(batch: Batch) -> Work:
    """Returns a step with the same convolutions, dense layers and optimizer, and nothing else."""
    units = units_of(batch)
    inputs = keras.Input(batch["target"].shape[1:])
    channels = inputs.shape[-1]
    conv = {"filters": channels, "kernel_size": 3, "padding": "same", "activation": "relu"}
    x = keras.layers.Conv2D(**conv)(keras.layers.Conv2D(**conv)(inputs)) + keras.layers.Conv2D(**conv)(inputs)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    outputs = []
    for width in units.values():
        x = keras.layers.Dense(width, activation="relu")(x)
        outputs.append(x)
    model = keras.Model(inputs, outputs)
    optimizer = GroupedAdam(1e-4)
    optimizer.build(model.trainable_variables)
    targets = [tf.constant(batch[name], tf.float32) for name in units]
    features = tf.constant(batch["target"])

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            decoded = model(tf.cast(features, tf.float32))
            loss = tf.add_n([tf.reduce_mean(tf.square(d - t)) for d, t in zip(decoded, targets, strict=True)])
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return lambda: step().numpy()


def plain_conv(images: int, shape: tuple[int, ...]) -> Work:
    """Returns one convolution, forward and backward, with gradients for its input and its kernel."""
    random = np.random.default_rng(0)
    x = tf.constant(random.uniform(size=(images, *shape)), tf.float32)
    kernel = tf.constant(random.normal(size=(3, 3, shape[-1], shape[-1])) / 70, tf.float32)

    @tf.function
    def step() -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tape.gradient(y, (x, kernel), output_gradients=x)

    return step


def interpretable_parts(images: int, shape: tuple[int, ...]) -> Work:
    """Returns filter loss, mask and norm of one layer, forward and backward, with gradients for its maps."""
    random = np.random.default_rng(0)
    x = tf.constant(np.maximum(random.normal(size=(images, *shape)), 0), tf.float32)
    matrix, prior = templates.template_matrix(shape[0], 4.0), templates.template_prior(shape[0])
    mask, norm = layers.Mask(2.0), layers.ActivationNorm()
    norm.build((images, *shape))
    mean_peak = ops.mean(ops.max(x, (1, 2)), 0)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(
                filter_losses.filter_loss(filter_losses.template_scores(x / mean_peak, matrix), prior)
            )
            y = norm(mask(x), training=True)
        return tape.gradient((loss, y), x, output_gradients=(tf.constant(1.0), x))

    return step
