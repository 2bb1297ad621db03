"""What feature maps hold: how many zeros, and how much that lies below zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import keras
import numpy as np

from tf_explainer.performer import layer_graph


@dataclasses.dataclass(frozen=True)
class ActivationStatistics:
    """Of one layer's map, over all units, channels and images.

    Attributes:
        zeros: share of values that are 0 or below, in [0, 1]: what is stored as 0.
        negative_energy: share of the sum of squares that lies below 0, in [0, 1]: what is cut away.
    """

    zeros: float
    negative_energy: float


def activation_statistics(
    model: keras.Model, layers: Sequence[str], images: Iterable[np.ndarray]
) -> dict[str, ActivationStatistics]:
    """Measures layers' maps.

    Args:
        model: functional, from RGB pixels.
        layers: names of its tensors (`layer_graph.places`).
        images: each `[S, S, 3]`, RGB, 0 to 255; at least one.

    Returns:
        The statistics by layer.
    """
    places = layer_graph.places(model)
    maps = keras.Model(model.inputs[0], {name: places[name] for name in layers})
    # By layer: how many values, how many not above 0, the sum of their squares, and that of all.
    sums = {name: np.zeros(4) for name in layers}
    for image in images:
        outputs = maps.predict_on_batch(image[None])
        for name, values in outputs.items():
            values = np.asarray(values, np.float64)
            low = values[values <= 0]
            sums[name] += values.size, low.size, np.square(low).sum(), np.square(values).sum()
    return {
        name: ActivationStatistics(zeros=low / number, negative_energy=below / energy if energy else 0.0)
        for name, (number, low, below, energy) in sums.items()
    }
