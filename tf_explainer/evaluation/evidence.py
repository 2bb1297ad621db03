"""Measures what parts look at, by running performer and explainer on images with covered squares."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import CROP, LABEL
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics import evidence
from tf_explainer.metrics.evidence import Evidence

_BATCH = 10


def measure_evidence(
    explainer: Explainer,
    feature_model: keras.Model,
    features: Features,
    groups: np.ndarray,
    split: Split,
    config: EvaluationConfig,
    progress: Callable[[str, int], None],
) -> dict[str, Evidence]:
    """Covers images of the categories square by square and collects the responses.

    Args:
        explainer: the explainer.
        feature_model: model from images `[B, S, S, 3]` to features by name, the target layer's among them.
        features: the stored features, with crops.
        groups: the part of each filter of conv_interp_2, `[F]` int, or -1.
        split: the split to take images from.
        config: settings, with the number of images.
        progress: called with the stage and the number of images processed since the last call.

    Returns:
        By layer: the evidence of each filter of the performer, and of each part of conv_interp_2.
    """
    target, layer = features.manifest.target.name, INTERPRETABLE_LAYERS[-1]
    part_maps = part_map_model(explainer, groups)
    collected = {name: Evidence(features.manifest.image_size, features.grid) for name in (PERFORMER, layer)}
    for crop in _crops(features, split, config.evidence_images):
        images = np.stack([crop, *evidence.covered(crop)])
        maps: dict[str, list[np.ndarray]] = {PERFORMER: [], layer: []}
        for start in range(0, len(images), _BATCH):
            output = feature_model(images[start : start + _BATCH].astype(np.float32), training=False)[target]
            maps[PERFORMER].append(ops.convert_to_numpy(output))
            maps[layer].append(ops.convert_to_numpy(part_maps(output, training=False)))
        for name, batches in maps.items():
            of_images = np.concatenate(batches)
            collected[name].add(of_images[0], of_images[1:])
        progress("evidence", 1)
    return collected


def _crops(features: Features, split: Split, count: int) -> list[np.ndarray]:
    """Returns crops of images spaced evenly over the categories' images, `[S, S, 3]` uint8."""
    total = sum(len(batch[LABEL]) for batch in features.batches(split, negatives=False))
    chosen = set(np.linspace(0, total - 1, min(count, total)).astype(int).tolist())
    crops, first = [], 0
    for batch in features.batches(split, negatives=False, with_crops=True):
        crops += [crop for row, crop in enumerate(batch[CROP], first) if row in chosen]
        first += len(batch[LABEL])
    return crops
