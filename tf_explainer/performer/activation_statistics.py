"""Statistics of feature maps: the share of zeros, and the energy of negative values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import keras
import numpy as np

from tf_explainer.performer import layer_graph


@dataclasses.dataclass(frozen=True)
class ActivationStatistics:
    """Statistics of a layer's map, over all units, channels and images.

    Attributes:
        zeros: share of values that are 0 or negative, in [0, 1]; they are stored as 0.
        negative_energy: share of the sum of squares due to negative values, in [0, 1]; a cut loses it.
    """

    zeros: float
    negative_energy: float


def activation_statistics(
    model: keras.Model, layers: Sequence[str], images: Iterable[np.ndarray]
) -> dict[str, ActivationStatistics]:
    """Measures the maps of layers.

    Args:
        model: functional, from RGB pixels.
        layers: names of its tensors (`layer_graph.places`).
        images: each `[S, S, 3]`, RGB, 0 to 255; at least one.

    Returns:
        The statistics by layer.
    """
    places = layer_graph.places(model)
    maps = keras.Model(model.inputs[0], {name: places[name] for name in layers})
    # By layer: number of values, number of values <= 0, sum of squares of these, and of all values.
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
