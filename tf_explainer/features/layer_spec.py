"""The description of a stored layer of the performer."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """A stored layer; its statistics are those of the original views.

    Attributes:
        name: of the layer in the performer.
        shape: per image: `(H, W, C)` for the target layer, `(C,)` for distilled layers.
        mean: mean activation over all images and units.
        mean_norm: mean over images of the Euclidean norm of `max(x, 0)` (lambda_l of the paper).
        mean_square_norm: mean over images of the squared Euclidean norm.
        zeros: share of exact zeros.
    """

    name: str
    shape: tuple[int, ...]
    mean: float = 0.0
    mean_norm: float = 0.0
    mean_square_norm: float = 0.0
    zeros: float = 0.0
