"""What a score really loses without a part: its filters respond as in the baseline, and all else stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_explainer.explanation.attribution import TrackAttributor


def losses(
    attributor: TrackAttributor, inputs: np.ndarray, classes: np.ndarray, groups: Sequence[Sequence[int]]
) -> np.ndarray:
    """Sets each group of filters by itself to the attributor's baseline, and the ordinary track at last.

    Args:
        attributor: knows the network.
        inputs: the network's, `[B, ...]`.
        classes: `[B]` int, whose scores; or `[B, K]`, of several classes an image.
        groups: P groups of filters of the interpretable track.

    Returns:
        `[B, P + 1]` or `[B, K, P + 1]`, the score minus the score without: positive where the score loses.
    """
    return losses_of_tracks(attributor, attributor.activations(inputs), classes, groups)


def losses_of_tracks(
    attributor: TrackAttributor, tracks: list[Any], classes: np.ndarray, groups: Sequence[Sequence[int]]
) -> np.ndarray:
    """Does what `losses` does with both tracks, `[B, L, L, F]` each, as `attributor.activations` has them."""
    # The first row is the whole network.
    kept = np.ones((len(groups) + 1, attributor.join.output_shape[-1]), np.float32)
    for row, group in enumerate(groups, start=1):
        kept[row, list(group)] = 0
    size = attributor.images_at_once(tracks, len(kept))
    wanted = np.asarray(classes)
    lost = []
    for first in range(0, len(wanted), size):
        rows = slice(first, first + size)
        scores = attributor.scores_of_shares([track[rows] for track in tracks], kept).numpy()
        of_class = np.take_along_axis(scores, wanted[rows].reshape(len(scores), 1, -1), axis=-1)
        lost.append((of_class[:, :1] - of_class[:, 1:]).swapaxes(1, 2))
    return np.concatenate(lost).astype(np.float64).reshape(*wanted.shape, len(groups) + 1)
