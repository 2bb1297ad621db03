"""What a score really loses without a part: its filters respond as in the baseline, and all else stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from tf_explainer.explanation import integrated_gradients
from tf_explainer.explanation.attribution import TrackAttributor

_POINTS = 128


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
    filters = attributor.tracks.output_shape[0][-1]
    kept = np.ones((len(groups) + 2, filters), np.float32)
    for row, group in enumerate(groups):
        kept[row, list(group)] = 0
    ordinary = np.ones(len(kept), np.float32)
    ordinary[len(groups)] = 0
    size = max(1, _POINTS // len(kept))
    wanted = np.asarray(classes)
    lost = []
    for first in range(0, len(inputs), size):
        rows = slice(first, first + size)
        some = ops.convert_to_tensor(inputs[rows], "float32")
        tracks = attributor.tracks(some, training=False)
        changed = [
            integrated_gradients.points(track, baseline, shares)
            for track, baseline, shares in zip(tracks, attributor.baselines, (kept, ordinary), strict=True)
        ]
        scores = ops.convert_to_numpy(attributor.scores(changed, training=False))
        scores = scores.reshape(len(some), len(kept), -1)
        of_class = np.take_along_axis(scores, wanted[rows].reshape(len(some), 1, -1), axis=-1).swapaxes(1, 2)
        lost.append(of_class[..., -1:] - of_class[..., :-1])
    return np.concatenate(lost).astype(np.float64).reshape(*wanted.shape, len(groups) + 1)
