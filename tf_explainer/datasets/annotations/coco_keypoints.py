"""Parses COCO's keypoint JSON: `images`, `annotations`, and `categories` that name the keypoints.

Crowds are left out, as are keypoints of visibility 0, which are not annotated. COCO numbers pixels from 0 and
means their centres, half a pixel from their edges; its boxes are `x, y, width, height` between edges.
(https://cocodataset.org/#format-data)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from tf_explainer.datasets.annotations.annotated_object import AnnotatedObject
from tf_explainer.errors import UserError
from tf_explainer.images.record import Box, Landmark

_CENTRE = 0.5


def parse(path: str, content: bytes) -> tuple[tuple[str, ...], list[AnnotatedObject]]:
    """Returns the names of the keypoints, and the objects.

    Raises:
        UserError: the file is malformed; the message names the line or the entry.
    """
    name = os.path.basename(path)
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(
            f"--annotations={path} is not valid JSON: line {error.lineno}: {error.msg}"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"--annotations={path} is not in UTF-8: {error}") from error
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in _LISTS):
        raise UserError(
            f"--annotations={path} is not in COCO's format: an object with the lists {', '.join(_LISTS)}"
        )
    images = _by_id(name, "images", data["images"])
    keypoints = {
        category: tuple(map(str, fields.get("keypoints", ())))
        for category, fields in _by_id(name, "categories", data["categories"]).items()
    }
    objects = [
        _object(f"{name}: annotations[{number}]", fields, images, keypoints)
        for number, fields in enumerate(data["annotations"])
        if not (isinstance(fields, dict) and fields.get("iscrowd"))
    ]
    return tuple(dict.fromkeys(each for names in keypoints.values() for each in names)), objects


_LISTS = ("images", "annotations", "categories")


def _by_id(name: str, key: str, entries: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
    found: dict[Any, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries):
        where = f"{name}: {key}[{number}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int | str):
            raise UserError(f"{where} has no id")
        if entry["id"] in found:
            raise UserError(f"{where}: another entry has the id {entry['id']}, too")
        found[entry["id"]] = entry
    return found


def _object(
    where: str,
    fields: Any,
    images: Mapping[Any, Mapping[str, Any]],
    keypoints: Mapping[Any, Sequence[str]],
) -> AnnotatedObject:
    try:
        image, names = images[fields["image_id"]], keypoints[fields["category_id"]]
        sized = "width" in image and "height" in image
        return AnnotatedObject(
            where=where,
            file=str(image["file_name"]),
            box=_box(where, fields["bbox"]) if fields.get("bbox") else None,
            landmarks=_landmarks(where, names, fields.get("keypoints") or []),
            size=(int(image["width"]), int(image["height"])) if sized else None,
        )
    except KeyError as error:
        raise UserError(f"{where}: {error} is missing, or is the id of no image or category") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where} cannot be read: {error}") from error


def _box(where: str, written: Sequence[float]) -> Box:
    x, y, width, height = map(float, written)
    if not (width > 0 and height > 0):
        raise UserError(f"{where}: the box {list(written)} is empty: bbox is x, y, width, height")
    return Box(xmin=x, ymin=y, xmax=x + width, ymax=y + height)


def _landmarks(where: str, names: Sequence[str], written: Sequence[float]) -> dict[str, Landmark]:
    if written and len(written) != 3 * len(names):
        raise UserError(
            f"{where}: {len(written)} numbers, but its category has {len(names)} keypoints: x, y and "
            "visibility of each"
        )
    triples = zip(names, written[::3], written[1::3], written[2::3], strict=True) if written else ()
    return {
        name: Landmark(x=float(x) + _CENTRE, y=float(y) + _CENTRE)
        for name, x, y, visibility in triples
        if visibility
    }
