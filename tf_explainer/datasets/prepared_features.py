"""Finds the features of a tensorflow-datasets data set that hold image, label, box and landmarks."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tf_explainer.datasets.decode import FORMATS
from tf_explainer.datasets.landmarked_image import COORDINATES
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, Landmark


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureKeys:
    """Names of the features that are read.

    Attributes:
        image: the image.
        label: the class, or None if there are no classes.
        box: `bbox` (one box per image) or `objects` (used if an image has exactly one), or None.
        landmark_names: names in the feature `landmarks`, as our builders write it; empty if there is none.
    """

    image: str
    label: str | None
    box: str | None
    landmark_names: tuple[str, ...] = ()

    def to_load(self, *, pixels: bool) -> dict[str, Any]:
        """Returns which features to load: the image, or everything else.

        Boxes are stored as fractions of the image's sides: with a box, the image is loaded in either case, to
        read its size from the header.
        """
        if pixels:
            return {self.image: True}
        annotations: dict[str, Any] = {self.label: True} if self.label else {}
        if self.box:
            annotations |= {self.image: True, self.box: {"bbox": True} if self.box == "objects" else True}
        if self.landmark_names:
            annotations["landmarks"] = True
        return annotations

    def landmarks_of(self, example: Mapping[str, Any]) -> dict[str, Landmark]:
        """Returns the annotated landmarks by name."""
        if not self.landmark_names:
            return {}
        columns = example["landmarks"]
        return {
            self.landmark_names[number]: Landmark(**{axis: float(columns[axis][row]) for axis in COORDINATES})
            for row, number in enumerate(columns["name"])
        }

    def box_of(self, example: Mapping[str, Any]) -> Box | None:
        """Returns the box in pixels; None if there is no box, several, or the image is unreadable."""
        if not self.box:
            return None
        found = example["objects"]["bbox"] if self.box == "objects" else [example["bbox"]]
        if len(found) != 1:
            return None
        try:
            with Image.open(io.BytesIO(example[self.image]), formats=FORMATS) as image:
                width, height = image.size
        except Exception:  # Decoding the image reports the reason.
            return None
        # Fractions in float32: rounding to a thousandth of a pixel restores whole pixels.
        sides = np.array([height, width, height, width])
        ymin, xmin, ymax, xmax = np.round(np.float64(found[0]) * sides, 3).tolist()
        return Box(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)


def find_features(name: str, features: Mapping[str, Any]) -> FeatureKeys:
    """Finds the features by their types; of several, `image` and `label` are preferred.

    Args:
        name: of the data set, for the message.
        features: the data set's features by name.

    Raises:
        UserError: the data set has no image, or several and none is called `image`.
    """
    images = [key for key, feature in features.items() if _is_picture(feature)]
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    if "image" not in images and len(images) != 1:
        kinds = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in features.items())
        raise UserError(f"--dataset={name} is not a data set of single images; its features are: {kinds}")
    return FeatureKeys(
        image="image" if "image" in images else images[0],
        label="label" if "label" in labels else next(iter(labels), None),
        box=_box_key(features),
        landmark_names=_landmark_names(features),
    )


def _is_picture(feature: Any) -> bool:
    is_image = isinstance(feature, tfds.features.Image) and not isinstance(
        feature, tfds.features.LabeledImage
    )
    return is_image and feature.np_dtype in (np.uint8, np.uint16)


def _box_key(features: Mapping[str, Any]) -> str | None:
    if isinstance(features.get("bbox"), tfds.features.BBoxFeature):
        return "bbox"
    of_each = _fields_of_each(features, "objects")
    return "objects" if isinstance(of_each.get("bbox"), tfds.features.BBoxFeature) else None


def _landmark_names(features: Mapping[str, Any]) -> tuple[str, ...]:
    of_each = _fields_of_each(features, "landmarks")
    name = of_each.get("name")
    if not isinstance(name, tfds.features.ClassLabel) or not set(COORDINATES) <= set(of_each):
        return ()
    return tuple(name.names)


def _fields_of_each(features: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Returns the features of a sequence's elements; empty if the feature is not such a sequence."""
    of_each = getattr(features.get(key), "feature", None)
    return dict(of_each.items()) if isinstance(of_each, tfds.features.FeaturesDict) else {}
