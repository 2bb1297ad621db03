"""NMI and ARI: how well the parts at landmarks, taken as clusters, agree with the landmarks' names.

Protocol: S. Choudhury et al., Unsupervised Part Discovery from Contrastive Reconstruction (2021); R. van der
Klis et al., PDiscoNet (2023). Every visible landmark is an item; its class is its name, and its cluster is
the part that is strongest at its position.
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
        nmi: normalised mutual information, in [0, 1]; NaN without landmarks.
        ari: adjusted Rand index, at most 1, 0 by chance; NaN without landmarks.
    """

    nmi: float
    ari: float


def strongest_parts(maps: np.ndarray, landmarks: np.ndarray, grid: UnitGrid) -> np.ndarray:
    """Returns the part that is strongest at each landmark's unit.

    Each part's maps are divided by their 99.9 % quantile over all images, so that parts with large
    activations do not always win.

    Args:
        maps: `[N, L, L, P]`, maps of the parts.
        landmarks: `[N, K, 2]`: y, x in units of the crop, NaN where not annotated.
        grid: positions of the units in the crop.

    Returns:
        `[N, K]` int; -1 if the landmark is not annotated or no part responds there.
    """
    if not maps.shape[-1]:
        return np.full(landmarks.shape[:2], -1)
    loud = np.quantile(maps, _LOUD, axis=(0, 1, 2))
    rows, columns = np.moveaxis(grid.units_at(np.nan_to_num(landmarks)), -1, 0)
    there = maps[np.arange(len(maps))[:, None], rows, columns] / np.where(loud > 0, loud, np.inf)
    covered = ~np.isnan(landmarks[..., 0]) & (there.max(axis=-1) > 0)
    return np.where(covered, there.argmax(axis=-1), -1)


def grid_cells(landmarks: np.ndarray) -> np.ndarray:
    """Returns the cell of a fixed 4 x 4 grid that each landmark lies in, a baseline that ignores the image.

    Args:
        landmarks: `[N, K, 2]`: y, x in units of the crop, NaN where not annotated.

    Returns:
        `[N, K]` int; -1 if not annotated.
    """
    cells = np.clip(np.floor(np.nan_to_num(landmarks) * _CELLS), 0, _CELLS - 1).astype(int)
    return np.where(np.isnan(landmarks[..., 0]), -1, cells[..., 0] * _CELLS + cells[..., 1])


def clustering(clusters: np.ndarray, landmarks: np.ndarray) -> Clustering:
    """Compares clusters with the landmarks' names.

    Args:
        clusters: `[N, K]` int, the cluster of each landmark; -1, which is a cluster like the others, if no
            part covers it.
        landmarks: `[N, K, 2]`, NaN where not annotated; these landmarks do not count.
    """
    visible = ~np.isnan(landmarks[..., 0])
    names = np.broadcast_to(np.arange(visible.shape[1]), visible.shape)[visible]
    if not len(names):
        return Clustering(nmi=np.nan, ari=np.nan)
    from sklearn import metrics  # Imported here because it takes a second and most steps do not need it.

    return Clustering(
        nmi=float(metrics.normalized_mutual_info_score(names, clusters[visible])),
        ari=float(metrics.adjusted_rand_score(names, clusters[visible])),
    )
