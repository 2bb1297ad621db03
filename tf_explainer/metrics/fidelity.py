"""Fidelity: how well the explainer reproduces the performer, and the parts' share of its features."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class FidelitySummary:
    """The measures of `Fidelity`.

    Attributes:
        relative_error: `sum ||x - x*||^2 / sum ||x*||^2` by distilled layer, summed over images: 0 is
            perfect, 1 is no better than an output of 0.
        performer_accuracy: accuracy of the performer's head on its own features; NaN if the performer knows
            none of the labels.
        explainer_accuracy: accuracy of the same head on the decoder's output; NaN likewise.
        agreement: share of images for which both decide for the same class; if the performer decides each
            class by itself, share of equal decisions.
        images: number of images.
    """

    relative_error: dict[str, float]
    performer_accuracy: float
    explainer_accuracy: float
    agreement: float
    images: int


class Fidelity:
    """Collects errors and decisions batch by batch.

    Args:
        layers: names of the distilled layers.
        exclusive: whether an image belongs to exactly one class; otherwise each class is decided by itself.
    """

    def __init__(self, layers: Sequence[str], *, exclusive: bool = True) -> None:
        self._exclusive = exclusive
        self._error: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
        self._energy: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}
        self._decisions: list[np.ndarray] = []

    def add(
        self,
        *,
        targets: Mapping[str, np.ndarray],
        decoded: Mapping[str, np.ndarray],
        performer_logits: np.ndarray,
        explainer_logits: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        """Adds a batch.

        Args:
            targets: the performer's features by distilled layer, `[B, units]`.
            decoded: the explainer's reconstruction of them.
            performer_logits: `[B, outputs]`, from the performer's head on its own features; a single output
                is the logit of the second of two classes.
            explainer_logits: likewise, from the same head on the decoder's output.
            labels: `[B]` int, the correct class as an index into the performer's classes; -1 if the performer
                does not know it.
        """
        for layer in self._error:
            target = np.asarray(targets[layer], np.float64)
            self._error[layer].append(np.square(decoded[layer] - target).sum(axis=1))
            self._energy[layer].append(np.square(target).sum(axis=1))
        performer, explainer = _decisions(performer_logits), _decisions(explainer_logits)
        comparable = np.where(labels < 0, np.nan, 1.0)
        agreed = performer == explainer
        if not self._exclusive:
            agreed = ((performer_logits > 0) == (explainer_logits > 0)).mean(axis=1)
        self._decisions.append(
            np.stack([comparable * (performer == labels), comparable * (explainer == labels), agreed])
        )

    @property
    def images(self) -> int:
        """Number of images added so far."""
        return sum(batch.shape[1] for batch in self._decisions)

    def summary(self, images: np.ndarray | None = None) -> FidelitySummary:
        """Returns the measures over some images; NaN without images.

        Args:
            images: `[N]` int, indices of the images, which may repeat; None: all images.
        """
        images = np.arange(self.images) if images is None else images
        shares = [np.nan] * 3
        if len(images):
            shares = [_mean_of_known(row[images]) for row in np.concatenate(self._decisions, axis=1)]
        return FidelitySummary(
            relative_error={
                layer: _ratio(self._error[layer], self._energy[layer], images) for layer in self._error
            },
            performer_accuracy=shares[0],
            explainer_accuracy=shares[1],
            agreement=shares[2],
            images=len(images),
        )


def _ratio(error: list[np.ndarray], energy: list[np.ndarray], images: np.ndarray) -> float:
    if not len(images):
        return float("nan")
    total = np.concatenate(energy)[images].sum()
    return float(np.concatenate(error)[images].sum() / total) if total else float("nan")


def _mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _decisions(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).astype(int)


class EnergyShare:
    """The interpretable track's share of the energy of `x_enc = p * x_interp + (1 - p) * x_ordin`.

    This is `sum ||p x_interp||^2 / (sum ||p x_interp||^2 + sum ||(1 - p) x_ordin||^2)`, summed over images.
    The cross term of the two tracks belongs to neither and is left out.

    Args:
        part_share: p, in (0, 1).
    """

    def __init__(self, part_share: float) -> None:
        self._part_share = part_share
        self._interpretable = self._ordinary = 0.0

    def add(self, interpretable: np.ndarray, ordinary: np.ndarray) -> None:
        """Adds a batch of the two tracks' normalised features, `[B, L, L, D]`."""
        self._interpretable += self._part_share**2 * _energy(interpretable)
        self._ordinary += (1 - self._part_share) ** 2 * _energy(ordinary)

    @property
    def value(self) -> float:
        """The share, in [0, 1]; NaN if no activation has been added."""
        total = self._interpretable + self._ordinary
        return self._interpretable / total if total else float("nan")


def _energy(values: np.ndarray) -> float:
    return float(np.square(values, dtype=np.float64).sum())
