"""An object as an annotation file tells of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tf_explainer.images.record import Box, Landmark


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnotatedObject:
    """One object on one image.

    Attributes:
        where: it stands, `birds.csv:3` or `birds.json: annotations[2]`.
        file: the image's name, as it is written there.
        box: None: the whole image.
        landmarks: those annotated, in continuous pixels.
        size: width and height of the image, if the file says them.
    """

    where: str
    file: str
    box: Box | None
    landmarks: Mapping[str, Landmark]
    size: tuple[int, int] | None = None
