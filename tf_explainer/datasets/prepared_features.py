"""Where a tensorflow-datasets data set keeps its image, its label and its object's box."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tf_explainer.datasets.decode import FORMATS
from tf_explainer.errors import UserError
from tf_explainer.images import Box


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureKeys:
    """Names of the features that are read.

    Attributes:
        image: the image.
        label: the class, or None where there are no classes.
        box: `bbox` (one box per image) or `objects` (used where an image has exactly one), or None.
    """

    image: str
    label: str | None
    box: str | None

    def to_load(self, *, pixels: bool) -> dict[str, Any]:
        """Returns what to load of each example: the pixels, or everything but them.

        A box is given as shares of the image's sides, so that the image is needed, if only its header.
        """
        if pixels:
            return {self.image: True}
        annotations: dict[str, Any] = {self.label: True} if self.label else {}
        if self.box:
            annotations |= {self.image: True, self.box: {"bbox": True} if self.box == "objects" else True}
        return annotations

    def box_of(self, example: Mapping[str, Any]) -> Box | None:
        """Returns the box in pixels; None where there is none, several, or no readable image."""
        if not self.box:
            return None
        found = example["objects"]["bbox"] if self.box == "objects" else [example["bbox"]]
        if len(found) != 1:
            return None
        try:
            with Image.open(io.BytesIO(example[self.image]), formats=FORMATS) as image:
                width, height = image.size
        except Exception:  # Whoever decodes the image gets the reason.
            return None
        # float32 shares of whole pixels: what they were is within a thousandth.
        sides = np.array([height, width, height, width])
        ymin, xmin, ymax, xmax = np.round(np.float64(found[0]) * sides, 3).tolist()
        return Box(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def find_features(name: str, features: Mapping[str, Any]) -> FeatureKeys:
    """Finds the features by their types; `image` and `label` are preferred where there are several.

    Args:
        name: of the data set, for the message.
        features: the data set's features by name.

    Raises:
        UserError: the data set has no image, or several, none of which is called `image`.
    """
    images = [key for key, feature in features.items() if _is_picture(feature)]
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    if "image" not in images and len(images) != 1:
        kinds = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in features.items())
        raise UserError(f"--dataset={name} is no data set of single images; its features are: {kinds}")
    return FeatureKeys(
        image="image" if "image" in images else images[0],
        label="label" if "label" in labels else next(iter(labels), None),
        box=_box_key(features),
    )


def _is_picture(feature: Any) -> bool:
    is_image = isinstance(feature, tfds.features.Image) and not isinstance(
        feature, tfds.features.LabeledImage
    )
    return is_image and feature.np_dtype in (np.uint8, np.uint16)


def _box_key(features: Mapping[str, Any]) -> str | None:
    if isinstance(features.get("bbox"), tfds.features.BBoxFeature):
        return "bbox"
    of_each = getattr(features.get("objects"), "feature", None)  # `objects` is a sequence.
    if not isinstance(of_each, tfds.features.FeaturesDict) or "bbox" not in of_each:
        return None
    return "objects" if isinstance(of_each["bbox"], tfds.features.BBoxFeature) else None
