"""NMI and ARI: whether parts, as clusters of the landmarks that they cover, are the landmarks' names.

Protocol: S. Choudhury et al., Unsupervised Part Discovery from Contrastive Reconstruction (2021); R. van der
Klis et al., PDiscoNet (2023). Every visible landmark is an item, its name the class, and its cluster the part
that is strongest where it lies.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_explainer.images.unit_grid import UnitGrid

_LOUD = 0.999
_CELLS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clustering:
    """How well clusters agree with names.

    Attributes:
        nmi: normalised mutual information, in [0, 1]; NaN without a landmark.
        ari: adjusted Rand index, at most 1, 0 by chance; likewise.
    """

    nmi: float
    ari: float


def strongest_parts(maps: np.ndarray, landmarks: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Returns the part that is strongest at each landmark's unit.

    Each part is scaled to the 99.9 % quantile of its own map over all images: loud parts do not take all.

    Args:
        maps: `[N, L, L, P]`, the parts'.
        landmarks: `[N, K, 2]`: y, x in units of the crop, NaN where not annotated.
        grid: where the units look.

    Returns:
        `[N, K]` int; -1 where no landmark is annotated, or no part responds.
    """
    if not maps.shape[-1]:
        return np.full(landmarks.shape[:2], -1)
    loud = np.quantile(maps, _LOUD, axis=(0, 1, 2))
    rows, columns = np.moveaxis(grid.units_at(np.nan_to_num(landmarks)), -1, 0)
    there = maps[np.arange(len(maps))[:, None], rows, columns] / np.where(loud > 0, loud, np.inf)
    covered = ~np.isnan(landmarks[..., 0]) & (there.max(axis=-1) > 0)
    return np.where(covered, there.argmax(axis=-1), -1)


def grid_cells(landmarks: np.ndarray) -> np.ndarray:
    """Returns the cell of a fixed 4 x 4 grid that each landmark lies in: what explains nothing reaches.

    Args:
        landmarks: `[N, K, 2]`: y, x in units of the crop, NaN where not annotated.

    Returns:
        `[N, K]` int; -1 where not annotated.
    """
    cells = np.clip(np.floor(np.nan_to_num(landmarks) * _CELLS), 0, _CELLS - 1).astype(int)
    return np.where(np.isnan(landmarks[..., 0]), -1, cells[..., 0] * _CELLS + cells[..., 1])


def clustering(clusters: np.ndarray, landmarks: np.ndarray) -> Clustering:
    """Compares clusters with the landmarks' names.

    Args:
        clusters: `[N, K]` int, the cluster of each landmark; -1, which is a cluster like the others, where
            nothing covers it.
        landmarks: `[N, K, 2]`, NaN where not annotated: those do not count.
    """
    visible = ~np.isnan(landmarks[..., 0])
    names = np.broadcast_to(np.arange(visible.shape[1]), visible.shape)[visible]
    if not len(names):
        return Clustering(nmi=np.nan, ari=np.nan)
    from sklearn import metrics  # It takes a second to load, and most steps never come here.

    found = clusters[visible]
    return Clustering(
        nmi=float(metrics.normalized_mutual_info_score(names, found)),
        ari=float(metrics.adjusted_rand_score(names, found)),
    )
