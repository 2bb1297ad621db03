"""Builds an explainer with the shapes of VGG-16, on any backend of Keras."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from tf_explainer.config import ExplainerConfig
from tf_explainer.explainer.explainer import DistilledLayer, Explainer

# block5_conv3 and the two dense layers of a head that `train_performer` trains.
SHAPE, UNITS, BATCH = (14, 14, 512), {"fc1": 512, "fc2": 512}, 20


def explainer_of(shape: tuple[int, ...], units: Mapping[str, int], classes: int | None = None) -> Explainer:
    """Returns an explainer with max pooling and dense layers above the target layer, as in VGG-16.

    Args:
        shape: `(L, L, D)` of the target layer.
        units: the distilled layers' widths by name.
        classes: number of the performer's classes, to which filters are assigned; None: one output, and no
            categories.
    """
    inputs = keras.Input(shape)
    pooled = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(inputs))
    return Explainer(
        feature_shape=shape,
        feature_mean=0.035,
        distilled=[
            DistilledLayer(name=name, units=width, activation="relu", mean_square_norm=width / 2)
            for name, width in units.items()
        ],
        trunk=keras.Model(inputs, pooled),
        head=_head(list(units.values())[-1], classes),
        config=ExplainerConfig(category_assignment="predicted" if classes else "none"),
        output_kind="softmax" if classes else None,
    )


def _head(width: int, classes: int | None) -> keras.Model:
    inputs = keras.Input((width,))
    last = keras.layers.Dense(classes) if classes else keras.layers.Dense(1, activation="sigmoid")
    return keras.Model(inputs, last(inputs))
