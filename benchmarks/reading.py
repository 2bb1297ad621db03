"""Measures how fast stored features are read back, and how fast a training step consumes them.

python -m benchmarks.reading FEATURES_DIR PERFORMER reading|training

Prints images, seconds and seconds of CPU as JSON. The caller chooses the cores. Reading starts to count with
the second pass, training after the first step, which leaves out tracing and opening files.
"""

from __future__ import annotations

import json
import sys
import time

import tensorflow as tf

from tf_explainer.config import ExplainerConfig, PerformerConfig, TrainConfig, WorkDir
from tf_explainer.features.dataset import training_dataset
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import load_performer
from tf_explainer.training.initialisation import explainer_for

_STEPS = 8


def main(features_dir: str, performer: str, what: str) -> None:
    """Measures, and prints."""
    manifest = read_manifest(features_dir)
    if what == "reading":
        count, seconds, cpu = _read(manifest, features_dir)
    else:
        count, seconds, cpu = _train(manifest, features_dir, performer)
    print(json.dumps({"images": count, "seconds": seconds, "cpu_seconds": cpu}))  # noqa: T201


def _batches(manifest: Manifest, features_dir: str, epoch: int) -> tf.data.Dataset:
    config = TrainConfig()
    return training_dataset(
        manifest,
        features_dir,
        folds=10,
        held_out_fold=0,
        batch_size=config.batch_size + config.negatives_per_batch,
        negatives_per_batch=0,
        seed=0,
        epoch=epoch,
    )


def _read(manifest: Manifest, features_dir: str) -> tuple[int, float, float]:
    images = 0
    for epoch in range(3):
        if epoch == 1:
            start, cpu = time.perf_counter(), time.process_time()
        for batch in _batches(manifest, features_dir, epoch):
            images += len(batch["label"]) if epoch else 0
    return images, time.perf_counter() - start, time.process_time() - cpu


def _train(manifest: Manifest, features_dir: str, path: str) -> tuple[int, float, float]:
    layers = tuple(layer.name for layer in manifest.distilled)
    config = PerformerConfig(
        performer=path,
        image_size=manifest.image_size,
        target_layer=manifest.target.name,
        distilled_layers=layers,
    )
    performer = load_performer(config, WorkDir(root=""))
    explainer = explainer_for(performer, manifest, ExplainerConfig())
    explainer.compile(optimizer="adam")
    batch = next(iter(_batches(manifest, features_dir, 0)))
    x = tf.cast(batch[manifest.target.name], tf.float32)
    y = {name: tf.cast(batch[name], tf.float32) for name in layers}
    explainer.train_on_batch(x, y)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(_STEPS):
        explainer.train_on_batch(x, y)
    return _STEPS * len(x), time.perf_counter() - start, time.process_time() - cpu


if __name__ == "__main__":
    main(*sys.argv[1:])
