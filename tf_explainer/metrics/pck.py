"""PCK@0.1, the percentage of correct keypoints: how often something points to a landmark.

Source: Y. Yang, D. Ramanan, Articulated Human Detection with Flexible Mixtures of Parts (2013).
What points best is chosen on one half of the images and measured on the other: of hundreds of filters
some are right by luck on the images that they were chosen on.
"""

from __future__ import annotations

import dataclasses

import numpy as np

NEAR = 0.1
"""A place is right if it is closer to the landmark than this, in sides of the crop."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BestPointer:
    """The candidate that points to a landmark most often.

    Attributes:
        pck: share of the odd images on which it is right, in [0, 1]; NaN where no odd image is annotated.
        chosen: its index, the first of equals; -1 where no even image is annotated.
        images: odd images that are annotated.
    """

    pck: float
    chosen: int
    images: int


def is_near(places: np.ndarray, live: np.ndarray, landmark: np.ndarray) -> np.ndarray:
    """Tells where candidates point to a landmark.

    Args:
        places: `[N, C, 2]`, where each candidate points, in units of the crop; or `[1, C, 2]`.
        live: `[N, C]` bool, or `[1, C]`: where it points at all.
        landmark: `[N, 2]`, NaN where not annotated.

    Returns:
        `[N, C]` bool.
    """
    return live & (np.linalg.norm(places - landmark[:, None], axis=-1) < NEAR)


def best_pointer(near: np.ndarray, annotated: np.ndarray) -> BestPointer:
    """Chooses on even images, and measures on odd ones.

    Args:
        near: `[N, C]` bool, from `is_near`, the images in an order that has nothing to do with them.
        annotated: `[N]` bool.
    """
    even = np.arange(len(near)) % 2 == 0
    seen, unseen = near[even & annotated], near[~even & annotated]
    if not near.shape[1] or not len(seen):
        return BestPointer(pck=np.nan, chosen=-1, images=len(unseen))
    chosen = int(seen.sum(axis=0).argmax())
    pck = float(unseen[:, chosen].mean()) if len(unseen) else np.nan
    return BestPointer(pck=pck, chosen=chosen, images=len(unseen))
