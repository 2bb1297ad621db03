"""The six animals of PASCAL-Part: part masks for the photographs of PASCAL VOC 2010.

    DATA_DIR/VOCdevkit/VOC2010/JPEGImages/NAME.jpg
    DATA_DIR/Annotations_Part/NAME.mat      anno.objects(k): class, mask, parts(j): part_name, mask

X. Chen et al., *Detect What You Can: Detecting and Representing Objects using Holistic Models and Body
Parts*, CVPR 2014. The fine parts are merged into a few landmarks as ICNN's authors do it (section 5.2.1, and
their published code): the head with all its parts; the torso with neck and wings; the legs, separately front
and back for four-legged animals; the tail of bird, cat and dog. The neck, a landmark of section 5.2.2, is
added.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tf_explainer.datasets import matlab
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, ImageReference, Landmark

ANIMALS = ("bird", "cat", "cow", "dog", "horse", "sheep")
LANDMARKS = {
    "head": ("head", "leye", "reye", "lear", "rear", "nose", "muzzle", "beak", "lhorn", "rhorn"),
    "neck": ("neck",),
    "torso": ("torso", "neck", "lwing", "rwing"),
    "legs": ("lleg", "lfoot", "rleg", "rfoot"),
    "frontal_legs": (
        *("lfleg", "lfpa", "lfuleg", "lflleg", "lfho"),
        *("rfleg", "rfpa", "rfuleg", "rflleg", "rfho"),
    ),
    "back_legs": (
        *("lbleg", "lbpa", "lbuleg", "lblleg", "lbho"),
        *("rbleg", "rbpa", "rbuleg", "rblleg", "rbho"),
    ),
    "tail": ("tail",),
}
"""The parts that each landmark is merged from; a part's name means the same for all animals."""

MIN_AREA = 50 * 50
"""Objects with a smaller box, in square pixels, are left out, as ICNN's authors do."""

_WITH_TAIL = {"bird", "cat", "dog"}


def references(data_dir: str) -> Iterator[ImageReference]:
    """Yields a reference for each animal, photograph by photograph; a photograph may show several.

    Args:
        data_dir: the folder into which both archives were extracted.

    Returns:
        References whose location is a path, whose label is an index into `ANIMALS`, whose box bounds the
        animal's mask, and whose landmarks are the merged parts.

    Raises:
        UserError: a folder or a photograph is missing, or an annotation is damaged.
    """
    photographs = os.path.join(data_dir, "VOCdevkit", "VOC2010", "JPEGImages")
    annotations = os.path.join(data_dir, "Annotations_Part")
    for folder in (photographs, annotations):
        if not os.path.isdir(folder):
            raise UserError(
                f"{data_dir}: there is no folder {folder}; extract the photographs of VOC 2010 and the "
                "annotations of PASCAL-Part there"
            )
    names = sorted(name.removesuffix(".mat") for name in os.listdir(annotations) if name.endswith(".mat"))
    if not names:
        raise UserError(f"{annotations} holds no *.mat")
    for name in names:
        yield from _animals(
            name, os.path.join(annotations, f"{name}.mat"), os.path.join(photographs, f"{name}.jpg")
        )


def _animals(name: str, annotation: str, photograph: str) -> Iterator[ImageReference]:
    (content,) = matlab.read_struct(annotation, "anno", ["objects"])
    for number, item in enumerate(_elements(content["objects"]), start=1):
        try:
            if item["class"] not in ANIMALS:
                continue
            box, landmarks = _extent(item["mask"]), _landmarks(item["class"], _elements(item["parts"]))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise UserError(
                f"{annotation}: anno.objects({number}) has no class, mask or parts as PASCAL-Part has them"
            ) from error
        if box and (box.xmax - box.xmin) * (box.ymax - box.ymin) >= MIN_AREA:
            yield ImageReference(
                id=f"{name}/{number}",
                label=ANIMALS.index(item["class"]),
                location=photograph,
                box=box,
                landmarks=landmarks,
            )


def _landmarks(animal: str, parts: list[Mapping[str, Any]]) -> dict[str, Landmark]:
    """Merges the parts of one animal; a landmark is at the centre of the box around all its parts."""
    masks = {part["part_name"]: part["mask"] for part in parts}
    found = {}
    for landmark, names in LANDMARKS.items():
        merged = [masks[name] for name in names if name in masks]
        box = _extent(np.any(np.stack(merged), axis=0)) if merged else None
        if box and (landmark != "tail" or animal in _WITH_TAIL):
            found[landmark] = Landmark(
                x=(box.xmin + box.xmax) / 2,
                y=(box.ymin + box.ymax) / 2,
                width=box.xmax - box.xmin,
                height=box.ymax - box.ymin,
            )
    return found


def _extent(mask: np.ndarray) -> Box | None:
    """Returns the box around a mask `[H, W]`, or None if the mask is empty."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return None
    return Box(
        xmin=float(columns.min()),
        ymin=float(rows.min()),
        xmax=float(columns.max() + 1),
        ymax=float(rows.max() + 1),
    )


def _elements(value: Any) -> list[Any]:
    """Returns the elements of a struct array, of which `matlab` reads a single one as a dict."""
    return [value] if isinstance(value, dict) else list(value)
