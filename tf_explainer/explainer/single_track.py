"""Decodes the explainer's two tracks separately, to measure how much each contributes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_explainer.explainer.explainer import Explainer

TRACKS = ("norm_interp", "norm_ordin")


class SingleTracks:
    """The explainer as two models: one that computes the tracks, and one that decodes them.

    Args:
        explainer: the explainer; both models share its weights.

    Attributes:
        tracks: model from the target layer's features, `[B, L, L, D]`, to the normalised tracks, two tensors
            `[B, L, L, D]`, interpretable first.
        decoder: model from both tracks to the distilled layers' features by name, `[B, units]`.
    """

    def __init__(self, explainer: Explainer) -> None:
        tracks = [explainer.get_layer(name).output for name in TRACKS]
        self.tracks = keras.Model(explainer.input, tracks)
        self.decoder = keras.Model(
            tracks, {layer.name: explainer.output[layer.name] for layer in explainer.distilled}
        )

    def decode(self, interpretable: Any, ordinary: Any) -> dict[str, Any]:
        """Returns the distilled layers' features by name, `[B, units]`.

        Args:
            interpretable: `[B, L, L, D]`, or `[1, L, L, D]` to use the same features, such as the mean, for
                every image.
            ordinary: likewise.
        """
        shape = ops.shape(interpretable if interpretable.shape[0] != 1 else ordinary)
        both = [ops.broadcast_to(track, shape) for track in (interpretable, ordinary)]
        return self.decoder(both, training=False)
