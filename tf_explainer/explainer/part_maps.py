"""The maps of parts, which are shown to users and measured."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer

_NO_PART = -1
_TINY = 1e-6


@keras.saving.register_keras_serializable(package="tf_explainer")
class PartMaps(keras.layers.Layer):
    """Averages the maps of each part's filters (ours).

    Let `z_f = x_f / m_f` be the map of filter f in units of its mean peak. A filter indicates its part where
    it responds more than the other filters do on average: `y_f = max(z_f - mean_g z_g, 0)`, `g != f`. The map
    of part k is `mean_f max(y_f) * mean_f (y_f / max(y_f))` over its filters. Each filter has the same say in
    where the part is, however strongly it responds to this image; the part's strength is the mean of theirs.

    Input `[B, L, L, F]`, non-negative, output `[B, L, L, P]` float32, non-negative.

    Args:
        groups: `[F]`, the part of each filter from 0 to P - 1, or -1.
        mean_peaks: `[F]`, m; it is 0 for dead filters, whose maps count as 0.

    Raises:
        ValueError: `groups` and `mean_peaks` differ in length.
    """

    def __init__(self, groups: Any, mean_peaks: Any, **kwargs: Any) -> None:
        super().__init__(trainable=False, **{"dtype": "float32"} | kwargs)
        self.groups, self.mean_peaks = np.asarray(groups, int), np.asarray(mean_peaks, np.float32)
        if self.groups.shape != self.mean_peaks.shape:
            raise ValueError(f"{len(self.groups)} groups of filters for {len(self.mean_peaks)} mean peaks")
        member = self.groups[:, None] == np.arange(self.groups.max(initial=_NO_PART) + 1)
        self._members = (member / np.maximum(member.sum(axis=0), 1)).astype(np.float32)
        alive = self.mean_peaks > 0
        self._loudness = np.divide(1, self.mean_peaks, out=np.zeros_like(self.mean_peaks), where=alive)

    def call(self, maps: Any) -> Any:
        """Returns the maps of the parts."""
        scaled = ops.cast(maps, "float32") * self._loudness
        others = (ops.sum(scaled, axis=-1, keepdims=True) - scaled) / max(len(self.groups) - 1, 1)
        excess = ops.maximum(scaled - others, 0)
        peaks = ops.max(excess, axis=(1, 2), keepdims=True)
        votes = ops.matmul(excess / ops.maximum(peaks, _TINY), self._members)
        return votes * ops.matmul(peaks, self._members)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"name": self.name, "groups": self.groups.tolist(), "mean_peaks": self.mean_peaks.tolist()}


def part_map_model(explainer: Explainer, groups: np.ndarray) -> keras.Model:
    """Returns a model from the target layer's features `[B, L, L, D]` to the maps of parts `[B, L, L, P]`.

    Args:
        explainer: a trained explainer; the parts consist of filters of its layer conv_interp_2.
        groups: `[F]` int, the part of each of these filters, or -1.
    """
    layer = explainer.get_layer(INTERPRETABLE_LAYERS[-1])
    return keras.Model(explainer.input, PartMaps(groups, layer.mean_peaks)(layer.output))
