"""A part's map: the mean over its filters of what they show, each filter as loud as the others."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics.peaks import Peaks

NO_PART = -1


def mean_peaks(peaks: Peaks) -> np.ndarray:
    """Returns each filter's mean peak over the images, by which its maps are divided, `[F]` float64."""
    return peaks.values.mean(axis=0, dtype=np.float64)


def part_maps(maps: np.ndarray, groups: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Averages the maps of each part's filters, in units of their mean peaks.

    Dividing by the mean peak makes loud and quiet filters count alike, and lets a part be faint on an image;
    divided by its peak on the same image, a filter that hardly responds would count like one that does.

    Args:
        maps: `[B, L, L, F]`, non-negative activations.
        groups: `[F]` int, the part of each filter, or -1.
        scale: `[F]`, the mean peaks; filters with 0 are dead and count as 0.

    Returns:
        `[B, L, L, P]` float32, P the number of parts, `groups.max() + 1`.

    Raises:
        ValueError: there are more or fewer groups than filters.
    """
    if groups.shape != maps.shape[-1:]:
        raise ValueError(f"{len(groups)} groups of filters for maps of {maps.shape[-1]} filters")
    return (maps @ _weights(groups, scale)).astype(np.float32)


def _weights(groups: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns what each filter adds to each part, `[F, P]` float32."""
    member = groups[:, None] == np.arange(groups.max(initial=NO_PART) + 1)
    loudness = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    return (member * loudness[:, None] / np.maximum(member.sum(axis=0), 1)).astype(np.float32)
