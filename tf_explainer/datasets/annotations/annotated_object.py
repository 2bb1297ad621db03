"""An object as an annotation file describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tf_explainer.images.record import Box, Landmark


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnotatedObject:
    """One object on one image.

    Attributes:
        where: its place in the annotation file: `birds.csv:3` or `birds.json: annotations[2]`.
        file: the image's name, as written there.
        box: in continuous pixels; None: the entire image.
        landmarks: annotated landmarks by name, in continuous pixels.
        size: width and height of the image, if the annotation file states them.
    """

    where: str
    file: str
    box: Box | None
    landmarks: Mapping[str, Landmark]
    size: tuple[int, int] | None = None
