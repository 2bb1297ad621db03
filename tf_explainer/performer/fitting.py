"""Training of a performer's weights: a head on a frozen backbone, or all layers end to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_explainer.config import PerformerTrainingConfig
from tf_explainer.datasets.labelled_crops import LabelledCrop
from tf_explainer.performer import layer_graph
from tf_explainer.performer.backbone_maps.map_store import MapStore
from tf_explainer.performer.heads import POOLING

# Arguments: the current activity, steps done, steps in total, metrics.
Progress = Callable[[str, int, int, Mapping[str, float]], None]

_LARGEST_SHIFT = 0.1


def silent(*_: Any) -> None:
    """Reports no progress."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """Training and held-out examples.

    Attributes:
        inputs: `[N, ...]`: crops (uint8), or features of a frozen backbone (float16).
        labels: `[N]` int64.
        held_out: `[N]` bool; whether an example is kept out of training.
    """

    inputs: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray


def collect_crops(crops: Iterable[LabelledCrop], total: int, progress: Progress) -> Examples:
    """Collects the crops themselves, `[N, S, S, 3]` uint8, for training end to end."""
    return _collect(crops, lambda images: images, 64, total, progress)


def collect_features(
    maps: MapStore,
    above: keras.Model,
    crops: Iterable[LabelledCrop],
    total: int,
    batch_size: int,
    progress: Progress,
) -> Examples:
    """Runs the frozen backbone once per image; stores the target layer's maps in a file.

    Args:
        maps: maps of the target layer; missing ones are computed and added.
        above: the frozen layers from these maps to the head's input.
        crops: the images.
        total: expected number of images.
        batch_size: images per batch.
        progress: is called after every batch.

    Returns:
        Features `[N, D]` float16, clipped to its range.
    """
    largest = np.finfo(np.float16).max
    maps.clear_others()

    def features(images: np.ndarray) -> np.ndarray:
        computed, found = maps.complete(images)
        if found < len(images):
            maps.keep(images, computed)
        return np.clip(above.predict_on_batch(computed), -largest, largest).astype(np.float16)

    return _collect(crops, features, batch_size, total, progress)


def _collect(
    crops: Iterable[LabelledCrop],
    transform: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    total: int,
    progress: Progress,
) -> Examples:
    inputs, labels, held_out, images = [], [], [], []
    progress("reading images", 0, total, {})
    for crop in crops:
        images.append(crop.image)
        labels.append(crop.label)
        held_out.append(crop.held_out)
        if len(images) == batch_size:
            inputs.append(transform(np.stack(images)))
            images = []
            progress("reading images", len(labels), total, {})
    if images:
        inputs.append(transform(np.stack(images)))
        progress("reading images", len(labels), total, {})
    return Examples(
        inputs=np.concatenate(inputs) if inputs else np.zeros((0, 1)),
        labels=np.array(labels, np.int64),
        held_out=np.array(held_out, bool),
    )


def train_head(
    model: keras.Model, examples: Examples, config: PerformerTrainingConfig, progress: Progress
) -> np.ndarray:
    """Trains a performer's head, in place, on the features of its frozen backbone.

    A backbone's features may be in the hundreds. They are divided by their root mean square, so that one
    learning rate of Adam suits every backbone. Afterwards the kernel of the head's first layer is divided by
    it, so that the performer needs no additional layer.

    Args:
        model: the performer, from `heads.attach_head`.
        examples: from `collect_features`.
        config: how to train.
        progress: is called after every step.

    Returns:
        The trained performer's probabilities for all examples, `[N, classes]` float32.
    """
    head = layer_graph.between(model.get_layer(POOLING).output, model.outputs[0])
    training = examples.inputs[~examples.held_out]
    scale = np.sqrt(np.mean(np.square(training, dtype=np.float32)), dtype=np.float32) + 1e-6
    scaled = dataclasses.replace(examples, inputs=(examples.inputs / scale).astype(np.float16))
    _fit(head, scaled, config, None, progress)
    probabilities = head.predict(scaled.inputs, batch_size=256, verbose=0)
    first = next(layer for layer in head.layers if isinstance(layer, keras.layers.Dense))
    first.kernel.assign(first.kernel / scale)
    return probabilities


def train_end_to_end(
    model: keras.Model, examples: Examples, config: PerformerTrainingConfig, progress: Progress
) -> np.ndarray:
    """Trains all layers of a performer, in place, on flipped and shifted crops from `collect_crops`.

    Arguments and returned probabilities, `[N, classes]` float32, are those of `train_head`.
    """
    _fit(model, examples, config, _flipped_and_shifted, progress)
    _settle_statistics(model, examples.inputs[~examples.held_out], progress)
    return model.predict(examples.inputs, batch_size=64, verbose=0)


def _settle_statistics(model: keras.Model, images: np.ndarray, progress: Progress) -> None:
    """Sets the statistics of batch normalisation to their means over the training images.

    After a short training the running statistics still depend on its first steps: with the momentum of some
    backbones they average over a thousand steps.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    starts = range(0, len(images), 64)
    for number, start in enumerate(starts):
        for layer in layers:
            layer.momentum = number / (number + 1)
        model(images[start : start + 64], training=True)
        progress("settling statistics", number + 1, len(starts), {})
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _fit(
    model: keras.Model,
    examples: Examples,
    config: PerformerTrainingConfig,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None,
    progress: Progress,
) -> None:
    batches = _batches(examples, config, augment)
    steps = config.epochs * len(batches)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
    )
    model.fit(batches, epochs=config.epochs, shuffle=False, verbose=0, callbacks=[_Reporter(progress, steps)])


def _batches(
    examples: Examples,
    config: PerformerTrainingConfig,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None,
) -> tf.data.Dataset:
    """Returns one shuffled epoch: inputs, labels, and weights by which all classes count the same."""
    rows = np.flatnonzero(~examples.held_out)
    counts = np.bincount(examples.labels[rows])
    inputs, labels = tf.constant(examples.inputs[rows]), tf.constant(examples.labels[rows])
    weights = tf.constant(len(rows) / (len(counts) * counts), tf.float32)

    def batch(indices: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, label = tf.gather(inputs, indices), tf.gather(labels, indices)
        return augment(images, seed) if augment else images, label, tf.gather(weights, label)

    order = tf.data.Dataset.range(len(rows)).shuffle(len(rows), seed=config.seed).batch(config.batch_size)
    seeds = tf.data.Dataset.random(seed=config.seed, rerandomize_each_iteration=True).batch(2)
    known_length = tf.data.experimental.assert_cardinality(-(-len(rows) // config.batch_size))
    return tf.data.Dataset.zip(order, seeds).map(batch).apply(known_length).prefetch(2)


def _flipped_and_shifted(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors half of the images, and shifts each by up to a tenth of its size, repeating its edges."""
    count, size = tf.shape(images)[0], images.shape[1]
    reach = int(size * _LARGEST_SHIFT)
    mirror = tf.random.stateless_uniform((count, 1), seed) < 0.5
    shift = tf.random.stateless_uniform((2, count, 1), seed + 1, -reach, reach + 1, tf.int32)
    index = tf.range(size)[None]
    rows = tf.clip_by_value(index + shift[0], 0, size - 1)
    columns = tf.clip_by_value(tf.where(mirror, size - 1 - index, index) + shift[1], 0, size - 1)
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


class _Reporter(keras.callbacks.Callback):
    """Reports the metrics of Keras' training after every batch."""

    def __init__(self, progress: Progress, steps: int) -> None:
        super().__init__()
        self._progress, self._steps, self._done = progress, steps, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        del batch
        self._done += 1
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self._progress("training", self._done, self._steps, metrics)
