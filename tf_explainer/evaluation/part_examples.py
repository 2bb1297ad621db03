"""Selects the images to which parts and the performer's filters respond most, and reads their crops."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.evaluation import Evaluation, Progress
from tf_explainer.features.schema import CROP, LABEL
from tf_explainer.features.stored_features import Features


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """Crops and features of some evaluated images.

    Attributes:
        images: `[W]` int, ascending indices of these images among the evaluated images.
        crops: `[W, S, S, 3]` uint8.
        performer: `[W, L, L, D]` float32, the performer's features of the target layer.
    """

    images: np.ndarray
    crops: np.ndarray
    performer: np.ndarray

    def row(self, image: int) -> int:
        """Returns the row of an image, given its index among the evaluated images."""
        return int(np.searchsorted(self.images, image))


def strongest_images(peaks: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Selects the images with the highest peaks, taking turns between categories.

    Args:
        peaks: `[N]`, peaks of one part or filter; images with a peak of 0 are never selected.
        labels: `[N]` int, the category of each image.
        count: largest number of images.

    Returns:
        `[M]` int, M <= count, indices of the images; within each category the highest peak comes first.
    """
    order = np.argsort(-peaks, kind="stable")
    order = order[peaks[order] > 0]
    by_category = [order[labels[order] == label] for label in np.unique(labels)]
    by_category.sort(key=lambda images: -peaks[images[0]] if len(images) else 0)
    turns = itertools.zip_longest(*by_category)
    return np.array([image for turn in turns for image in turn if image is not None][:count], int)


def performer_filters(evaluation: Evaluation, count: int) -> list[int]:
    """Selects filters of the performer to compare with the parts.

    Args:
        evaluation: the evaluation.
        count: largest number of filters.

    Returns:
        The filters that are best for some landmark; without landmarks, those that respond to most images.
    """
    landmarks = evaluation.part_measures.landmarks.values()
    best = dict.fromkeys(f for landmark in landmarks for f in landmark.pck_performer.chosen if f >= 0)
    live = evaluation.layers[PERFORMER].peaks.live.mean(axis=0)
    return (list(best) or [int(f) for f in np.argsort(-live, kind="stable") if live[f]])[:count]


def read_examples(
    features: Features, wanted: np.ndarray, config: EvaluationConfig, progress: Progress
) -> Examples:
    """Reads crops and features of some evaluated images.

    Args:
        features: the stored features that were evaluated.
        wanted: `[W]` int, ascending indices among the evaluated images, at least one.
        config: settings, with the split that was evaluated.
        progress: called with the stage and the number of images processed since the last call.
    """
    crops: list[np.ndarray] = []
    maps: list[np.ndarray] = []
    first = 0
    for batch in features.batches(config.split, negatives=False, with_crops=True):
        images = len(batch[LABEL])
        rows = wanted[(wanted >= first) & (wanted < first + images)] - first
        first += images
        if len(rows):
            crops.append(batch[CROP][rows])
            maps.append(batch[features.manifest.target.name][rows].astype(np.float32))
        progress("pictures", images)
    return Examples(images=wanted, crops=np.concatenate(crops), performer=np.concatenate(maps))
