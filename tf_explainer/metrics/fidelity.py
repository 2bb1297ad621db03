"""Fidelity: how well the explainer gives the performer's features and decisions back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class FidelitySummary:
    """What `Fidelity` found.

    Attributes:
        relative_error: `sum ||x - x*||^2 / sum ||x*||^2` by distilled layer, sums over images: 0: perfect,
            1: no better than silence.
        performer_accuracy: of the performer's head on its own features; NaN where its classes are not the
            labels'.
        explainer_accuracy: of the same head on the decoder's output; likewise.
        agreement: share of images on which the two name the same class.
        images: how many were looked at.
    """

    relative_error: dict[str, float]
    performer_accuracy: float
    explainer_accuracy: float
    agreement: float
    images: int


class Fidelity:
    """Sums up errors and decisions batch by batch.

    Args:
        layers: names of the distilled layers.
        classes: how many classes the labels have.
    """

    def __init__(self, layers: Sequence[str], classes: int) -> None:
        self._classes = classes
        self._error, self._energy = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 0.0)
        self._performer_right = self._explainer_right = self._agree = 0.0
        self._images = 0

    def add(
        self,
        *,
        targets: Mapping[str, np.ndarray],
        decoded: Mapping[str, np.ndarray],
        performer_scores: np.ndarray,
        explainer_scores: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        """Takes in a batch.

        Args:
            targets: the performer's features by distilled layer, `[B, units]`.
            decoded: the explainer's.
            performer_scores: `[B, classes]`, or `[B, 1]`, the probability of label 1; of the performer's head
                on its own features.
            explainer_scores: likewise, of the same head on the decoder's output.
            labels: `[B]` int.
        """
        for layer in self._error:
            target = np.asarray(targets[layer], np.float64)
            self._error[layer] += float(np.square(decoded[layer] - target).sum())
            self._energy[layer] += float(np.square(target).sum())
        performer, explainer = _decisions(performer_scores), _decisions(explainer_scores)
        comparable = 1.0 if max(2, performer_scores.shape[1]) == self._classes else np.nan
        self._performer_right += comparable * (performer == labels).sum()
        self._explainer_right += comparable * (explainer == labels).sum()
        self._agree += float((performer == explainer).sum())
        self._images += len(labels)

    def summary(self) -> FidelitySummary:
        """Returns the measures over all batches; NaN where nothing was seen."""
        images = self._images or float("nan")
        return FidelitySummary(
            relative_error={
                layer: self._error[layer] / (self._energy[layer] or float("nan")) for layer in self._error
            },
            performer_accuracy=float(self._performer_right / images),
            explainer_accuracy=float(self._explainer_right / images),
            agreement=self._agree / images,
            images=self._images,
        )


def _decisions(scores: np.ndarray) -> np.ndarray:
    """Returns the class of the highest score, or of the only one: a probability that the label is 1."""
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0.5).astype(int)
