"""Measures of an explainer on held-out images during training."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.schema import LABEL, SCORES
from tf_explainer.features.stored_features import Batch, Features
from tf_explainer.training.landmark_validation import measure_landmarks
from tf_explainer.training.track_fidelity import measure_tracks

PREFIX = "validation/"
_WITH_LANDMARKS = "landmarks/"


def uses_landmarks(measure: str) -> bool:
    """Returns whether a measure of this name uses landmarks."""
    return measure.startswith(PREFIX + _WITH_LANDMARKS)


class Validation:
    """Measures an explainer on held-out images; passed to a `Trainer` as `validate`.

    The loss terms are those of training, averaged over batches of the categories' images. On the images of
    all classes, with the ordinary track replaced by its mean, `parts_only/LAYER` is the relative error of a
    distilled layer and `parts_only/disagreement` the share of images on which the performer's head decides
    differently. `outside_mask` is the share of the interpretable track's mass outside the papers' mask, on
    the images of the categories. The measures of `measure_landmarks`, which alone use landmarks, begin with
    `landmarks/`. Lower is better for all measures.

    Args:
        features: stored features of the performer.
        landmarks: whether to use landmarks, if there are any.
    """

    def __init__(self, features: Features, *, landmarks: bool = False) -> None:
        self._features = features
        self._landmarks = landmarks and bool(features.manifest.landmarks)

    def __call__(self, explainer: Explainer) -> dict[str, float]:
        """Returns the measures by name, each beginning with `validation/`; empty without held-out images."""
        terms, weights = [], []
        for batch in self._features.batches("held_out", negatives=False):
            outputs = explainer(batch[self._features.manifest.target.name].astype(np.float32), training=False)
            terms.append(_loss_terms(explainer, batch, outputs))
            weights.append(len(batch[LABEL]))
        if not terms:
            return {}
        measures = {name: float(np.average([t[name] for t in terms], weights=weights)) for name in terms[0]}
        tracks = measure_tracks(explainer, explainer.head, self._features, "held_out")
        parts_only = tracks.parts_only
        measures |= {f"parts_only/{name}": error for name, error in parts_only.relative_error.items()}
        measures |= {"parts_only/disagreement": 1 - parts_only.agreement, "outside_mask": tracks.outside_mask}
        if self._landmarks:
            with_landmarks = measure_landmarks(explainer, self._features, sum(weights))
            measures |= {_WITH_LANDMARKS + name: value for name, value in with_landmarks.items()}
        return {PREFIX + name: value for name, value in measures.items()}


def _loss_terms(explainer: Explainer, batch: Batch, outputs: dict[str, Any]) -> dict[str, float]:
    targets = {layer.name: batch[layer.name].astype(np.float32) for layer in explainer.distilled}
    targets[SCORES] = batch[SCORES]
    terms = explainer.loss_terms(targets, outputs)
    terms["loss"] = explainer.total_loss(terms)
    return {name: float(value) for name, value in terms.items()}
