"""PCK@0.1, the percentage of correct keypoints: how often a part, filter or fixed point is near a landmark.

Source: Y. Yang, D. Ramanan, Articulated Human Detection with Flexible Mixtures of Parts (2013). The best
candidate is chosen on one half of the images and measured on the other: among hundreds of filters, some are
near the landmark by chance on the images used for the choice.
"""

from __future__ import annotations

import dataclasses

import numpy as np

NEAR = 0.1
"""A place counts as near a landmark if its distance is smaller than this, in sides of the crop."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BestPointer:
    """The candidate that points to a landmark most often.

    Attributes:
        pck: share of the annotated odd images on which it is near, in [0, 1]; NaN if there is no such image
            or no candidate was chosen.
        chosen: its index, the first one of equals; -1 if there is no candidate or no annotated even image.
        images: number of annotated odd images.
    """

    pck: float
    chosen: int
    images: int


def is_near(places: np.ndarray, live: np.ndarray, landmark: np.ndarray) -> np.ndarray:
    """Returns whether each candidate is near a landmark on each image.

    Args:
        places: `[N, C, 2]`, or `[1, C, 2]`: the position of each candidate, in units of the crop.
        live: `[N, C]` bool, or `[1, C]`: whether the candidate responds.
        landmark: `[N, 2]`, NaN where not annotated.

    Returns:
        `[N, C]` bool.
    """
    return live & (np.linalg.norm(places - landmark[:, None], axis=-1) < NEAR)


def best_pointer(near: np.ndarray, annotated: np.ndarray) -> BestPointer:
    """Chooses the best candidate on even images and measures it on odd ones.

    Args:
        near: `[N, C]` bool, from `is_near`; the order of the images must not depend on their content.
        annotated: `[N]` bool, whether the landmark is annotated.
    """
    even = np.arange(len(near)) % 2 == 0
    on_even, on_odd = near[even & annotated], near[~even & annotated]
    if not near.shape[1] or not len(on_even):
        return BestPointer(pck=np.nan, chosen=-1, images=len(on_odd))
    chosen = int(on_even.sum(axis=0).argmax())
    pck = float(on_odd[:, chosen].mean()) if len(on_odd) else np.nan
    return BestPointer(pck=pck, chosen=chosen, images=len(on_odd))
