"""What one of an explainer's tracks carries alone: the decoder's features with the other at its mean."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_explainer.explainer.explainer import Explainer

TRACKS = ("norm_interp", "norm_ordin")


class SingleTracks:
    """Decodes an explainer's tracks one at a time.

    Args:
        explainer: the one to take apart; its weights are shared.

    Attributes:
        tracks: from the target layer's features, `[B, L, L, D]`, to both tracks behind their norm layers, two
            tensors `[B, L, L, D]`, interpretable first.
        decoder: from both tracks to the distilled layers' features by name, `[B, units]`.
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
            interpretable: `[B, L, L, D]`, or `[1, L, L, D]`, a mean that takes the place of every image's.
            ordinary: likewise.
        """
        shape = ops.shape(interpretable if interpretable.shape[0] != 1 else ordinary)
        both = [ops.broadcast_to(track, shape) for track in (interpretable, ordinary)]
        return self.decoder(both, training=False)
