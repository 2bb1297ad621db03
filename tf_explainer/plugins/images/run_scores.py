"""What decides the images of a snapshot, from stored features."""

from __future__ import annotations

import keras
import numpy as np

from tf_explainer.evaluation.evaluation import PERFORMER
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explanation.attribution import Attribution, Attributor
from tf_explainer.features.schema import SCORES
from tf_explainer.plugins.images.summary import ClassScores, ImageScores, likely_classes
from tf_explainer.plugins.parts.run_snapshot import ShownImages

_BATCH_SIZE = 16


def of_images(explainer: Explainer, head: keras.Model, shown: ShownImages) -> ImageScores:
    """Attributes the scores of the classes that the performer finds likeliest, image by image.

    Args:
        explainer: a trained explainer.
        head: the performer's path from the last distilled layer to the logits.
        shown: the images; what their scores say is known.

    Raises:
        ValueError: it is not known what their scores say.
    """
    outputs = shown.features.outputs
    if outputs is None:
        raise ValueError("nobody has said what the stored scores are")
    features, performer_scores = (
        shown.maps(explainer, PERFORMER),
        outputs.probabilities(shown.records[SCORES]),
    )
    attributor = Attributor(explainer, head, outputs.kind)
    batches = [slice(first, first + _BATCH_SIZE) for first in range(0, len(features), _BATCH_SIZE)]
    ranked = [
        ClassScores(
            classes=classes,
            attribution=Attribution.joined(
                [attributor.attribute(features[some], classes[some]) for some in batches]
            ),
        )
        for classes in likely_classes(performer_scores).T
    ]
    return ImageScores(
        layer=INTERPRETABLE_LAYERS[-1],
        names=outputs.names,
        ranked=ranked,
        explainer_scores=np.concatenate([attributor.log_odds(features[some]) for some in batches]),
        performer_scores=performer_scores,
    )
