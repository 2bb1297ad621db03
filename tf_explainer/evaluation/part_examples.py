"""The images on which parts, and the performer's own filters, respond most, with crops and maps."""

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
    """Chosen images.

    Attributes:
        images: `[W]` int, ascending indices of the evaluated images.
        crops: `[W, S, S, 3]` uint8.
        performer: `[W, L, L, D]` float32, the features.
    """

    images: np.ndarray
    crops: np.ndarray
    performer: np.ndarray

    def row(self, image: int) -> int:
        """Returns where an image is, by its index among the evaluated images."""
        return int(np.searchsorted(self.images, image))


def strongest_images(peaks: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Chooses the images with the highest peaks, the categories in turn.

    Args:
        peaks: `[N]`, of one part or filter; it is silent where it has 0, and such images are not chosen.
        labels: `[N]` int, the category of each image.
        count: how many at most.

    Returns:
        `[M]` int, M <= count, the highest first within each category.
    """
    order = np.argsort(-peaks, kind="stable")
    order = order[peaks[order] > 0]
    by_category = [order[labels[order] == label] for label in np.unique(labels)]
    by_category.sort(key=lambda images: -peaks[images[0]] if len(images) else 0)
    turns = itertools.zip_longest(*by_category)
    return np.array([image for turn in turns for image in turn if image is not None][:count], int)


def performer_filters(evaluation: Evaluation, count: int) -> list[int]:
    """Chooses filters of the performer to set beside the parts.

    Args:
        evaluation: what was measured.
        count: how many at most.

    Returns:
        Those that point best to the landmarks; where there are none, those that respond on most images.
    """
    measured = evaluation.part_measures.landmarks.values()
    best = dict.fromkeys(f for each in measured for f in each.pck_performer.chosen if f >= 0)
    live = evaluation.layers[PERFORMER].peaks.live.mean(axis=0)
    return (list(best) or [int(f) for f in np.argsort(-live, kind="stable") if live[f]])[:count]


def read_examples(
    features: Features, wanted: np.ndarray, config: EvaluationConfig, progress: Progress
) -> Examples:
    """Reads crops and features of images.

    Args:
        features: the ones that were evaluated.
        wanted: `[W]` int, ascending indices of the evaluated images, at least one.
        config: the split that was evaluated.
        progress: told the stage and how many more images are done.
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
