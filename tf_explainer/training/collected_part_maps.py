"""The maps of an explainer's parts on stored images."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import LABEL
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.part_maps import part_maps


def collect_part_maps(
    explainer: Explainer,
    features: Features,
    split: Split,
    groups: np.ndarray,
    scale: np.ndarray,
    progress: Callable[[int], None] = lambda images: None,  # noqa: ARG005
) -> np.ndarray:
    """Returns the maps of all parts on all images of the categories: they are few enough to be held.

    Args:
        explainer: the parts are of its layer conv_interp_2.
        features: stored features of the performer that it explains.
        split: which images, at least one.
        groups: `[F]` int, the part of each filter, or -1.
        scale: `[F]`, the filters' mean peaks.
        progress: told how many more images are done.

    Returns:
        `[N, L, L, P]` float32, in the order in which `features` has the images.
    """
    shown = keras.Model(explainer.input, explainer.get_layer(INTERPRETABLE_LAYERS[-1]).output)
    found = []
    for batch in features.batches(split, negatives=False):
        maps = shown(batch[features.manifest.target.name].astype(np.float32), training=False)
        found.append(part_maps(ops.convert_to_numpy(ops.cast(maps, "float32")), groups, scale))
        progress(len(batch[LABEL]))
    return np.concatenate(found)
