"""Validation measures that use landmarks."""

from __future__ import annotations

import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.features.stored_features import ANNOTATIONS, Features
from tf_explainer.metrics.layer_measures import measure_layer
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.part_measures import measure_parts
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.metrics.summary import summarise
from tf_explainer.training.collected_part_maps import collect_part_maps
from tf_explainer.training.filter_groups import filter_groups

_TOP_IMAGES = 100


def measure_landmarks(explainer: Explainer, features: Features, images: int) -> dict[str, float]:
    """Measures conv_interp_2 and its parts on held-out images of the categories, as evaluation does.

    Args:
        explainer: the explainer in training.
        features: stored features with landmarks.
        images: number of held-out images of the categories.

    Returns:
        For the filters `instability` (mean location instability), `tracking` (median R) and `untracked`
        (share that follows no landmark); for the parts `missed` (1 - PCK@0.1, mean over landmarks) and
        `unnamed` (1 - NMI). Lower is better for all.
    """
    side, _, filters = features.manifest.target.shape
    strongest = StrongestUnits(images, side**2, filters)
    peaks, performer, batches = [], [], []
    for batch in features.batches("held_out", negatives=False):
        target = batch[features.manifest.target.name].astype(np.float32)
        outputs = explainer(target, training=False)[INTERPRETABLE_LAYERS[-1]]
        maps = ops.convert_to_numpy(ops.cast(outputs, "float32"))
        peaks.append(Peaks.of(maps))
        performer.append(Peaks.of(target))
        strongest.add(maps)
        batches.append({name: batch[name] for name in ANNOTATIONS})
    annotations, joined = features.annotations(batches), Peaks.joined(peaks)
    layer = measure_layer(joined, strongest.regions(), annotations, features.grid, _TOP_IMAGES)
    summary = summarise(layer, annotations)
    groups = filter_groups(explainer, joined, features.grid)
    part_maps = collect_part_maps(explainer, features, "held_out", groups)
    parts = measure_parts(part_maps, Peaks.joined(performer), annotations, features.grid, _TOP_IMAGES)
    found = np.array([landmark.pck.value for landmark in parts.landmarks.values()])
    return {
        "instability": summary["location_instability"],
        "tracking": summary["tracking"]["median_ratio"],
        "untracked": 1 - summary["tracking"]["share_below_half"],
        "missed": 1 - float(np.nanmean(found)) if not np.isnan(found).all() else np.nan,
        "unnamed": 1 - parts.names.nmi,
    }
