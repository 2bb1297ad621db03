"""Trains on stored features that are repeated: `python -m benchmarks.training_memory DIR REPETITIONS`."""

from __future__ import annotations

import dataclasses
import pathlib
import sys

import tensorflow as tf

from benchmarks.training_parts import whole_step
from tf_explainer.config import DatasetConfig, TrainConfig
from tf_explainer.features.schema import MANIFEST, Manifest
from tf_explainer.training.training_batches import TrainingBatches

BATCH = 16


def main(directory: str, repetitions: int) -> None:
    """Trains for one epoch on the set's images, each repeated `repetitions` times."""
    manifest = Manifest.from_json((pathlib.Path(directory) / MANIFEST).read_text(encoding="utf-8"))
    counts = {name: repetitions * count for name, count in manifest.class_counts.items()}
    manifest = dataclasses.replace(manifest, shards=repetitions * manifest.shards, class_counts=counts)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    step = whole_step(
        strategy, manifest.target.shape, {layer.name: layer.shape[0] for layer in manifest.distilled}
    )
    batches = TrainingBatches(
        manifest=manifest,
        features=directory,
        dataset=DatasetConfig(dataset="folder"),
        config=TrainConfig(batch_size=BATCH),
        strategy=strategy,
    )
    epoch = batches.of_epoch(1)
    for batch in batches.read(epoch):
        step(batch, epoch.element_spec)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
