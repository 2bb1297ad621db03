"""What decides the images of a snapshot, from stored features."""

from __future__ import annotations

import keras
import numpy as np

from tf_explainer.attribution import Attribution, Attributor
from tf_explainer.evaluation import PERFORMER
from tf_explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.plugins.images.summary import ImageScores
from tf_explainer.plugins.parts.run_snapshot import ShownImages
from tf_explainer.schema import SCORES

_BATCH_SIZE = 16


def of_images(explainer: Explainer, head: keras.Model, shown: ShownImages) -> ImageScores:
    """Attributes the score of the class that the performer names, image by image.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the scores.
        shown: the images.
    """
    features, performer_scores = shown.maps(explainer, PERFORMER), shown.records[SCORES]
    classes = performer_scores.argmax(axis=1)
    attributor = Attributor(explainer, head)
    batches: list[Attribution] = []
    log_odds: list[np.ndarray] = []
    for first in range(0, len(features), _BATCH_SIZE):
        some = slice(first, first + _BATCH_SIZE)
        batches.append(attributor.attribute(features[some], classes[some]))
        log_odds.append(attributor.log_odds(features[some]))
    known, outputs = shown.features.manifest.classes, performer_scores.shape[1]
    return ImageScores(
        layer=INTERPRETABLE_LAYERS[-1],
        names=known if len(known) == outputs else [f"output {k}" for k in range(outputs)],
        classes=classes,
        attribution=Attribution.joined(batches),
        explainer_scores=np.concatenate(log_odds),
        performer_scores=performer_scores,
    )
