"""Draws what a part looks at: the stored images on which it responds most, with the region outlined."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.part_examples import read_examples, strongest_images
from tf_explainer.evaluation.parts import Part, parts_of_filters
from tf_explainer.evaluation.region_overlay import Colour, overlay
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.features.schema import LABEL
from tf_explainer.features.stored_features import Features

_SIDE, _GAP, _REGION = 168, 6, 0.5
_EVERYTHING = EvaluationConfig()


def draw(part: Part, explainer: Explainer, features: Features, images: int, colour: Colour) -> Image.Image:
    """Draws the images side by side, taking categories in turn; bright regions exceed half the peak.

    Args:
        part: a group of the explainer's filters; its map does not depend on the other groups.
        explainer: of the run.
        features: of the run.
        images: the most images to draw.
        colour: of the outlines.

    Returns:
        The picture; an empty one if the part responds nowhere.
    """
    labels, maps = _maps(part, explainer, features)
    strongest = strongest_images(maps.max(axis=(1, 2)), labels, images)
    page = Image.new("RGB", (max(1, len(strongest)) * (_SIDE + _GAP) - _GAP, _SIDE), "white")
    if not len(strongest):
        return page
    examples = read_examples(features, np.sort(strongest), _EVERYTHING, lambda stage, count: None)  # noqa: ARG005
    for column, image in enumerate(strongest):
        crop, part_map = examples.crops[examples.row(image)], maps[image]
        region = _REGION * float(part_map.max())
        drawn = overlay(crop, part_map, region, features.grid, size=_SIDE, colour=colour)
        page.paste(drawn, (column * (_SIDE + _GAP), 0))
    return page


def _maps(part: Part, explainer: Explainer, features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Returns the categories of all images, `[N]`, and the part's maps, `[N, L, L]`."""
    filters = explainer.get_layer(INTERPRETABLE_LAYERS[-1]).filters
    model = part_map_model(explainer, parts_of_filters([part], filters))
    labels, maps = [], []
    for batch in features.batches(_EVERYTHING.split, negatives=False):
        part_maps = model.predict_on_batch(batch[features.manifest.target.name].astype(np.float32))
        labels.append(batch[LABEL])
        maps.append(np.asarray(part_maps)[..., 0])
    return np.concatenate(labels), np.concatenate(maps)
