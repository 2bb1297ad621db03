"""Measures of an explainer in training, on the images that training never sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.features.schema import LABEL, SCORES
from tf_explainer.features.stored_features import Batch, Features
from tf_explainer.training.landmark_validation import measure_landmarks
from tf_explainer.training.track_fidelity import TrackFidelity, measure_tracks

PREFIX = "validation/"
_WITH_LANDMARKS = "landmarks/"


def uses_landmarks(measure: str) -> bool:
    """Tells by its name whether a measure is taken with landmarks."""
    return measure.startswith(PREFIX + _WITH_LANDMARKS)


class Validation:
    """Measures held-out images; given to a `Trainer` as `validate`.

    Loss terms are those of training, averaged over batches of the categories' images. On the images of all
    classes, `parts_only/LAYER` is the relative error of a distilled layer with the ordinary track at its
    mean, `parts_only/disagreement` how often the performer's head then decides otherwise; `outside_mask` is
    the share of the interpretable track's mass outside the papers' mask. None of these uses landmarks. Those
    that do, of `measure_landmarks`, have `landmarks/` in front. Of every measure less is better.

    Args:
        features: stored features of the performer.
        landmarks: whether landmarks are used, where there are any.
    """

    def __init__(self, features: Features, *, landmarks: bool = False) -> None:
        self._features = features
        self._landmarks = landmarks and bool(features.manifest.landmarks)

    def __call__(self, explainer: Explainer) -> dict[str, float]:
        """Returns the measures by name, each with `validation/` in front; none without held-out images."""
        terms, weights = [], []
        for batch in self._features.batches("held_out", negatives=False):
            outputs = explainer(batch[self._features.manifest.target.name].astype(np.float32), training=False)
            terms.append(_loss_terms(explainer, batch, outputs))
            weights.append(len(batch[LABEL]))
        if not terms:
            return {}
        measures = {name: float(np.average([t[name] for t in terms], weights=weights)) for name in terms[0]}
        tracks = measure_tracks(explainer, explainer.head, self._features, "held_out")
        measures |= _of_tracks(tracks)
        if self._landmarks:
            found = measure_landmarks(explainer, self._features, sum(weights))
            measures |= {_WITH_LANDMARKS + name: value for name, value in found.items()}
        return {PREFIX + name: value for name, value in measures.items()}


def _of_tracks(tracks: TrackFidelity) -> dict[str, float]:
    alone = tracks.parts_only
    return {f"parts_only/{name}": error for name, error in alone.relative_error.items()} | {
        "parts_only/disagreement": 1 - alone.agreement,
        "outside_mask": tracks.outside_mask,
    }


def _loss_terms(explainer: Explainer, batch: Batch, outputs: dict[str, Any]) -> dict[str, float]:
    targets = {layer.name: batch[layer.name].astype(np.float32) for layer in explainer.distilled}
    targets[SCORES] = batch[SCORES]
    terms = explainer.loss_terms(targets, outputs)
    terms["loss"] = explainer.total_loss(terms)
    return {name: float(value) for name, value in terms.items()}
