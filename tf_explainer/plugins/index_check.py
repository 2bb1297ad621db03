"""Checks that a snapshot's index has the fields that the front end needs to draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tf_explainer.plugins.stored_values import DamagedError

_MOST = 1_000_000


def check_version(index: Any, version: int) -> None:
    """Raises a DamagedError unless the index has this version."""
    found = index.get("version") if isinstance(index, Mapping) else None
    if type(found) is not int or found != version:
        raise DamagedError(f"its index has version {str(found)[:20]}, but this tab reads version {version}")


def check_parts(index: Any) -> None:
    """Raises a DamagedError if a Parts index lacks required fields; see `parts.snapshot.Snapshot.index`."""
    _whole(index, "pictures_step", 0, 2**63)
    thumbnail = _listed(index, "thumbnail", 3)
    for at in range(3):
        _whole(dict(enumerate(thumbnail)), at)
    images = _field(index, "images", Mapping)
    count = _whole(images, "count")
    _whole(images, "size")
    for key in ("ids", "labels", "predicted", "held_out"):
        _listed(images, key, count)
    _listed(images, "classes")
    _listed(images, "landmarks", 2 * count * len(_listed(images, "landmark_names")))
    _field(index, "notes", Mapping)
    layers = _listed(index, "layers")
    if not layers:
        raise DamagedError("its index has no layers")
    for layer in layers:
        _check_layer(layer)


def _check_layer(layer: Any) -> None:
    _field(layer, "name", str)
    _field(layer, "title", str)
    _whole(layer, "filters")
    grid = _field(layer, "grid", Mapping)
    _whole(grid, "side", 1, 256)
    _check_numbers(grid, ("first", "spacing", "extent"))
    for figure in _listed(layer, "figures"):
        for key in ("key", "label", "unit", "help", "kind"):
            _field(figure, key, str)
        for key, check in (("names", _check_text), ("groups", _check_group)):
            for one in _listed(figure, key) if key in figure else ():
                check(one)


def _check_text(name: Any) -> None:
    if not isinstance(name, str):
        raise DamagedError("its index has a group whose name is not text")


def _check_group(group: Any) -> None:
    _field(group, "name", str)
    for name in _field(group, "in_class", Mapping).values():
        _check_text(name)
    for followed in _field(group, "followed", Mapping).values():
        _field(followed, "landmark", str)
        _check_numbers(followed, ("found", "chance"))
    if "evidence" in group:
        _check_numbers(_field(group, "evidence", Mapping), ("distance", "concentration", "pairs"))


def _check_numbers(holder: Any, keys: Sequence[str]) -> None:
    for key in keys:
        _field(holder, key, (int, float))


def check_images(index: Any) -> None:
    """Raises a DamagedError if an Explained images index lacks required fields."""
    _field(index, "layer", str)
    _field(index, "method", str)
    _listed(index, "names")
    if "removed" in index:
        _whole(index, "removed", 0)
    count = len(_listed(index, "explainer_classes"))
    for scores in (index, *_listed(index, "others")):
        for key in ("classes", "scores", "parts", "ordinary", "scales", "verdicts"):
            _listed(scores, key, count)


def _field(holder: Any, key: Any, kind: Any) -> Any:
    value = holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DamagedError(f"its index has no valid {key}")
    return value


def _whole(holder: Any, key: Any, low: int = 1, high: int = _MOST) -> int:
    value = _field(holder, key, int)
    if not low <= value <= high:
        raise DamagedError(f"{key} in its index is not within {low} to {high}")
    return int(value)


def _listed(holder: Any, key: Any, length: int | None = None) -> list[Any]:
    value = _field(holder, key, list)
    if length is not None and len(value) != length:
        raise DamagedError(f"its index has {len(value)} {key} instead of {length}")
    return list(value)
