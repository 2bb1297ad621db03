"""Attributes the scores of the images of a snapshot, from stored features."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.collected_responses import PERFORMER
from tf_explainer.evaluation.parts import Part
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explanation import removal
from tf_explainer.explanation.attribution import Attribution, Attributor
from tf_explainer.features.schema import SCORES
from tf_explainer.plugins.images.summary import ClassScores, ImageScores, likely_classes
from tf_explainer.plugins.parts.run_snapshot import ShownImages

Progress = Callable[[str, int], None]
_BATCH_SIZE = 16
_FEWER_STEPS = 3


def of_images(
    explainer: Explainer,
    head: keras.Model,
    shown: ShownImages,
    mean_features: np.ndarray,
    parts: Sequence[Part],
    config: AttributionConfig | None = None,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
) -> ImageScores:
    """Attributes the scores of the likeliest classes of each image.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        shown: the images, whose features have `outputs`.
        mean_features: `[L, L, D]`, the mean features of the target layer.
        parts: whose removal is measured, one part at a time.
        config: how a score is shared out; None: the default. Only a third of its steps is used, because there
            are three classes per image.
        progress: called with the stage and the number of images just done.

    Raises:
        ValueError: the features do not describe the performer's outputs.
    """
    outputs = shown.features.outputs
    if outputs is None:
        raise ValueError("the features do not describe the performer's outputs")
    features = shown.maps(explainer, PERFORMER)
    performer_scores = outputs.probabilities(shown.records[SCORES])
    config = config or AttributionConfig()
    fewer = dataclasses.replace(config, steps=-(-config.steps // _FEWER_STEPS))
    attributor = Attributor(explainer, head, outputs.kind, mean_features, fewer)
    ranks = likely_classes(performer_scores).T
    groups = [part.filters for part in parts]
    attributions: list[list[Attribution]] = [[] for _ in ranks]
    log_odds, lost = [], []
    for first in range(0, len(features), _BATCH_SIZE):
        rows = slice(first, first + _BATCH_SIZE)
        for batches, classes in zip(attributions, ranks, strict=True):
            batches.append(attributor.attribute(features[rows], classes[rows]))
        lost.append(removal.losses(attributor, features[rows], ranks.T[rows], groups))
        log_odds.append(attributor.log_odds(features[rows]))
        progress("explained images", len(features[rows]))
    return ImageScores(
        layer=INTERPRETABLE_LAYERS[-1],
        names=outputs.names,
        ranked=[
            ClassScores(classes=classes, attribution=Attribution.joined(batches))
            for classes, batches in zip(ranks, attributions, strict=True)
        ],
        explainer_scores=np.concatenate(log_odds),
        performer_scores=performer_scores,
        method=attributor.method,
        lost=np.concatenate(lost),
    )
