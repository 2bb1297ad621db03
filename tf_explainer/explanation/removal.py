"""How much a score drops if a part's filters respond as in the baseline and everything else stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_explainer.explanation.attribution import TrackAttributor


def losses(
    attributor: TrackAttributor, inputs: np.ndarray, classes: np.ndarray, groups: Sequence[Sequence[int]]
) -> np.ndarray:
    """Replaces each group of filters, and then the ordinary track, by the attributor's baseline.

    Args:
        attributor: of the network.
        inputs: of the network, `[B, ...]`.
        classes: `[B]` int, whose scores to measure; or `[B, K]`, several classes per image.
        groups: P groups of filters of the interpretable track.

    Returns:
        `[B, P + 1]` or `[B, K, P + 1]`, how much the score drops.
    """
    return losses_of_tracks(attributor, attributor.activations(inputs), classes, groups)


def losses_of_tracks(
    attributor: TrackAttributor, tracks: list[Any], classes: np.ndarray, groups: Sequence[Sequence[int]]
) -> np.ndarray:
    """Works like `losses`, for both tracks, `[B, L, L, F]` each, from `attributor.activations`."""
    # The first row keeps all filters.
    kept = np.ones((len(groups) + 1, attributor.join.output_shape[-1]), np.float32)
    for row, group in enumerate(groups, start=1):
        kept[row, list(group)] = 0
    size = attributor.images_at_once(tracks, len(kept))
    classes = np.asarray(classes)
    lost = []
    for first in range(0, len(classes), size):
        rows = slice(first, first + size)
        scores = attributor.scores_of_shares([track[rows] for track in tracks], kept).numpy()
        of_class = np.take_along_axis(scores, classes[rows].reshape(len(scores), 1, -1), axis=-1)
        lost.append((of_class[:, :1] - of_class[:, 1:]).swapaxes(1, 2))
    return np.concatenate(lost).astype(np.float64).reshape(*classes.shape, len(groups) + 1)
