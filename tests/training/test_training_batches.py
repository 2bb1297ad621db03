"""The batches of a training: what they tell the explainer."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.support.small_training import CONFIG, small_features
from tf_explainer.config import DatasetConfig
from tf_explainer.training.training_batches import TrainingBatches


def test_images_without_an_object_are_told_from_the_others(tmp_path):
    manifest = small_features(tmp_path)
    batches = TrainingBatches(
        manifest=manifest,
        features=str(tmp_path),
        dataset=DatasetConfig(dataset="folder"),
        config=CONFIG,
        strategy=tf.distribute.OneDeviceStrategy("CPU:0"),
    )
    *whole, last = (batch["shows_object"].numpy() for batch in batches.of_epoch(1))
    for told in whole:
        np.testing.assert_array_equal(told, [1] * CONFIG.batch_size + [0] * CONFIG.negatives_per_batch)
    assert last.sum() == len(last) - CONFIG.negatives_per_batch
    without = dataclasses.replace(manifest, negative_class=None)
    (first, *_) = dataclasses.replace(batches, manifest=without).of_epoch(1)
    assert "shows_object" not in first
