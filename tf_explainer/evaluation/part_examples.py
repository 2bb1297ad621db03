"""The images on which chosen filters respond most, with crops and maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import PERFORMER, Evaluation, Progress, layer_maps, outputs
from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.schema import CROP, LABEL
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.layer_measures import NO_CATEGORY


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartExamples:
    """One filter and the images that excite it most.

    Attributes:
        filter: its index.
        images: `[M]` int: indices of the evaluated images, the most exciting first.
        crops: `[M, S, S, 3]` uint8.
        maps: `[M, L, L]` float32.
    """

    filter: int
    images: np.ndarray
    crops: np.ndarray
    maps: np.ndarray


def strongest_images(evaluation: Evaluation, layer: str, filter_index: int, count: int) -> np.ndarray:
    """Returns the images of its category on which a filter responds most, `[M]` int, M <= count."""
    measured = evaluation.layers[layer]
    values = measured.peaks.values[:, filter_index].copy()
    category = measured.category[filter_index]
    if category != NO_CATEGORY:
        values[evaluation.annotations.labels != category] = 0
    order = np.argsort(-values, kind="stable")[:count]
    return order[values[order] > 0]


def collect(
    evaluation: Evaluation,
    explainer: Explainer,
    features: Features,
    filters: Mapping[str, Sequence[int]],
    config: EvaluationConfig,
    progress: Progress,
) -> dict[str, list[PartExamples]]:
    """Reads the crops and computes the maps of chosen filters' strongest images.

    Args:
        evaluation: what was measured, on the same features and split.
        explainer: the one that was measured.
        features: the ones that it was measured on.
        filters: by layer.
        config: split and number of images.
        progress: told the stage and how many more images are done.

    Returns:
        The examples by layer, in the order of `filters`.
    """
    images = {
        (layer, f): strongest_images(evaluation, layer, f, config.sheet_images)
        for layer, chosen in filters.items()
        for f in chosen
    }
    if not images:
        return {layer: [] for layer in filters}
    wanted = np.unique(np.concatenate(list(images.values())))
    crops, maps = _crops_and_maps(explainer, features, wanted, filters, config, progress)
    rows = {key: np.searchsorted(wanted, chosen) for key, chosen in images.items()}
    return {
        layer: [
            PartExamples(
                filter=f,
                images=images[layer, f],
                crops=crops[rows[layer, f]],
                maps=maps[layer][rows[layer, f]][..., column],
            )
            for column, f in enumerate(chosen)
        ]
        for layer, chosen in filters.items()
    }


def _crops_and_maps(
    explainer: Explainer,
    features: Features,
    wanted: np.ndarray,
    filters: Mapping[str, Sequence[int]],
    config: EvaluationConfig,
    progress: Progress,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns crops `[W, S, S, 3]` of the wanted images and, by layer, their maps of the chosen filters."""
    model = layer_maps(explainer, [layer for layer in filters if layer != PERFORMER])
    crops: list[np.ndarray] = []
    maps: dict[str, list[np.ndarray]] = {layer: [] for layer in filters}
    first = 0
    for batch in features.batches(config.split, negatives=False, with_crops=True):
        images = len(batch[LABEL])
        rows = wanted[(wanted >= first) & (wanted < first + images)] - first
        first += images
        if len(rows):
            crops.append(batch[CROP][rows])
            target = batch[features.manifest.target.name].astype(np.float32)
            computed = {PERFORMER: target} | outputs(model, target)
            for layer, chosen in filters.items():
                maps[layer].append(computed[layer][rows][..., list(chosen)])
        progress("pictures", images)
    return np.concatenate(crops), {layer: np.concatenate(parts) for layer, parts in maps.items()}
