"""Measures of an explainer in training, on the images that training never sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.features.schema import LABEL, LANDMARKS, SCORES
from tf_explainer.features.stored_features import Batch, Features
from tf_explainer.metrics.layer_measures import Annotations, measure_layer
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.metrics.summary import summarise

PREFIX = "validation/"
_TOP_IMAGES = 100


class Validation:
    """Measures held-out images; given to a `Trainer` as `validate`.

    Loss terms are those of training, averaged over batches of the categories' images. Where there are
    landmarks, conv_interp_2 is measured as evaluation does: `instability` (mean location instability),
    `tracking` (median R over filters) and `untracked` (share of filters that follow no landmark). Of every
    measure less is better.

    Args:
        features: stored features of the performer.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._images: int | None = None

    def __call__(self, explainer: Explainer) -> dict[str, float]:
        """Returns the measures by name, each with `validation/` in front; none without held-out images."""
        if self._images is None:
            self._images = sum(len(batch[LABEL]) for batch in self._batches())
        if not self._images:
            return {}
        side, _, filters = self._features.manifest.target.shape
        strongest = StrongestUnits(self._images, side**2, filters)
        known: list[Batch] = []
        peaks: list[Peaks] = []
        terms: list[dict[str, float]] = []
        for batch in self._batches():
            outputs = explainer(batch[self._features.manifest.target.name].astype(np.float32), training=False)
            terms.append(_loss_terms(explainer, batch, outputs))
            maps = ops.convert_to_numpy(ops.cast(outputs[INTERPRETABLE_LAYERS[-1]], "float32"))
            peaks.append(Peaks.of(maps))
            strongest.add(maps)
            known.append({name: batch[name] for name in (LABEL, LANDMARKS)})
        weights = [len(batch[LABEL]) for batch in known]
        measures = {name: float(np.average([t[name] for t in terms], weights=weights)) for name in terms[0]}
        if self._features.manifest.landmarks:
            measures |= self._of_parts(Peaks.joined(peaks), strongest, self._annotations(known))
        return {PREFIX + name: value for name, value in measures.items()}

    def _batches(self) -> Iterator[Batch]:
        return self._features.batches("held_out", negatives=False)

    def _of_parts(
        self, peaks: Peaks, strongest: StrongestUnits, annotations: Annotations
    ) -> dict[str, float]:
        regions = strongest.regions()
        layer = measure_layer(peaks, regions, annotations, self._features.grid, _TOP_IMAGES)
        summary = summarise(layer, annotations)
        return {
            "instability": summary["location_instability"],
            "tracking": summary["tracking"]["median_ratio"],
            "untracked": 1 - summary["tracking"]["share_below_half"],
        }

    def _annotations(self, batches: list[Batch]) -> Annotations:
        manifest = self._features.manifest
        categories = [i for i in range(len(manifest.classes)) if i != manifest.negative_label]
        labels, landmarks = (np.concatenate([b[name] for b in batches]) for name in (LABEL, LANDMARKS))
        return Annotations(
            categories=self._features.categories,
            landmark_names=manifest.landmarks,
            labels=np.searchsorted(categories, labels),
            landmarks=landmarks,
            held_out=np.ones(len(labels), bool),
        )


def _loss_terms(explainer: Explainer, batch: Batch, outputs: dict[str, Any]) -> dict[str, float]:
    targets = {layer.name: batch[layer.name].astype(np.float32) for layer in explainer.distilled}
    targets[SCORES] = batch[SCORES]
    terms = explainer.loss_terms(targets, outputs)
    terms["loss"] = explainer.total_loss(terms)
    return {name: float(value) for name, value in terms.items()}
