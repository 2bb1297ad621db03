"""The maps of an explainer's parts on stored images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import LABEL
from tf_explainer.features.stored_features import Features


def collect_part_maps(
    explainer: Explainer,
    features: Features,
    split: Split,
    groups: np.ndarray,
    progress: Callable[[int], None] = lambda images: None,  # noqa: ARG005
) -> np.ndarray:
    """Returns the maps of all parts on all images of the categories, which together fit into memory.

    Args:
        explainer: a trained explainer; the parts consist of filters of its layer conv_interp_2.
        features: stored features of its performer.
        split: the images to use; at least one.
        groups: `[F]` int, the part of each filter, or -1.
        progress: called after each batch with its number of images.

    Returns:
        `[N, L, L, P]` float32, in the order of the images in `features`.
    """
    maps_of = _part_maps_of(explainer, groups)
    maps = []
    for batch in features.batches(split, negatives=False):
        maps.append(maps_of(batch[features.manifest.target.name]))
        progress(len(batch[LABEL]))
    return np.concatenate(maps)


def mean_responses_elsewhere(
    explainer: Explainer, features: Features, split: Split, groups: np.ndarray
) -> np.ndarray:
    """Returns the parts' mean responses on images of no category, which show no parts.

    Args:
        explainer: as for `collect_part_maps`, like the other arguments.
        features: the stored features.
        split: the images to use.
        groups: the part of each filter.

    Returns:
        `[P]` float64, means over images and units; NaN if there is no such image.
    """
    maps_of = _part_maps_of(explainer, groups)
    means, target = [], features.manifest.target.name
    for batch in features.batches(split, negatives=True):
        negative = batch[LABEL] == features.manifest.negative_label
        if negative.any():
            means.append(maps_of(batch[target][negative]).mean(axis=(1, 2), dtype=np.float64))
    if not means:
        return np.full(groups.max(initial=-1) + 1, np.nan)
    return np.concatenate(means).mean(axis=0)


def _part_maps_of(explainer: Explainer, groups: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    model = part_map_model(explainer, groups)
    return lambda features: ops.convert_to_numpy(model(features.astype(np.float32), training=False))
