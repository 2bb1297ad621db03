"""Defines the features that all our builders store, and converts image references to examples.

| feature | meaning |
| --- | --- |
| `image` | the unchanged file, or PNG if the image was drawn |
| `label` | the class |
| `id` | the image's name in its data set |
| `bbox` | the object; the entire image if there is no box |
| `landmarks` | the annotated ones: name, centre and extent in continuous pixels (`images/record.py`) |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tf_explainer.datasets.decode import size_in_pixels
from tf_explainer.errors import UserError
from tf_explainer.images.crop import clip_to_image
from tf_explainer.images.record import Box, ImageReference, UnreadableImageError

COORDINATES = ("x", "y", "width", "height")


def features(classes: Sequence[str] | int, landmarks: Sequence[str]) -> tfds.features.FeaturesDict:
    """Returns the features of a data set.

    Args:
        classes: names of the classes, or their number if the names come with the data.
        landmarks: names of the landmarks.
    """
    label = (
        tfds.features.ClassLabel(num_classes=classes)
        if isinstance(classes, int)
        else tfds.features.ClassLabel(names=classes)
    )
    landmark = {"name": tfds.features.ClassLabel(names=landmarks), **dict.fromkeys(COORDINATES, np.float32)}
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(),
            "label": label,
            "id": tfds.features.Text(),
            "bbox": tfds.features.BBoxFeature(),
            "landmarks": tfds.features.Sequence(landmark),
        }
    )


def examples(references: Iterable[ImageReference]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the key and the example of each reference, whose location is an image file.

    Raises:
        UserError: a file is missing or not an image.
    """
    for reference in references:
        try:
            width, height = size_in_pixels(reference.location)
        except UnreadableImageError as error:
            raise UserError(f"{reference.location}: {error}") from error
        yield reference.id, example(reference, reference.location, width, height)


def example(reference: ImageReference, image: str | np.ndarray, width: int, height: int) -> dict[str, Any]:
    """Returns an example with the features that `features` describes.

    Args:
        reference: the image's annotations.
        image: the image's path, or its pixels `[height, width, 3]` uint8.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Raises:
        UserError: the box lies outside the image.
    """
    box = reference.box or Box(xmin=0, ymin=0, xmax=width, ymax=height)
    try:
        box = clip_to_image(box, width, height)
    except UnreadableImageError as error:
        raise UserError(f"{reference.id}: {error}") from error
    return {
        "image": image,
        "label": reference.label,
        "id": reference.id,
        "bbox": tfds.features.BBox(
            ymin=box.ymin / height, xmin=box.xmin / width, ymax=box.ymax / height, xmax=box.xmax / width
        ),
        "landmarks": [
            {"name": name, **{axis: getattr(landmark, axis) for axis in COORDINATES}}
            for name, landmark in reference.landmarks.items()
        ],
    }
