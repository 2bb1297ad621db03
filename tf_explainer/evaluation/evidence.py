"""What parts look at: the performer and the explainer on images with covered squares."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from tf_explainer.config import EvaluationConfig
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
    """Covers images of the categories square by square.

    Args:
        explainer: whose parts.
        feature_model: from images `[B, S, S, 3]` to the target layer's features, among others, by name.
        features: the stored set, with crops.
        groups: the part of each filter of conv_interp_2, `[F]` int, or -1.
        split: which images.
        config: how many of them.
        progress: told the stage and how many more images are done.

    Returns:
        By layer: the performer's filters, each by itself, and the parts of conv_interp_2.
    """
    target, shown = features.manifest.target.name, INTERPRETABLE_LAYERS[-1]
    maps_of = part_map_model(explainer, groups)
    found = {name: Evidence(features.manifest.image_size, features.grid) for name in ("performer", shown)}
    for crop in _crops(features, split, config.evidence_images):
        images = np.stack([crop, *evidence.covered(crop)])
        raw, shown_maps = [], []
        for start in range(0, len(images), _BATCH):
            seen = feature_model(images[start : start + _BATCH].astype(np.float32), training=False)[target]
            raw.append(ops.convert_to_numpy(seen))
            shown_maps.append(ops.convert_to_numpy(maps_of(seen, training=False)))
        for name, maps in (("performer", np.concatenate(raw)), (shown, np.concatenate(shown_maps))):
            found[name].add(maps[0], maps[1:])
        progress("evidence", 1)
    return found


def _crops(features: Features, split: Split, count: int) -> list[np.ndarray]:
    """Returns evenly chosen crops of the categories' images, `[S, S, 3]` uint8."""
    total = sum(len(batch[LABEL]) for batch in features.batches(split, negatives=False))
    chosen = set(np.linspace(0, total - 1, min(count, total)).astype(int).tolist())
    crops, first = [], 0
    for batch in features.batches(split, negatives=False, with_crops=True):
        crops += [crop for row, crop in enumerate(batch[CROP], first) if row in chosen]
        first += len(batch[LABEL])
    return crops
