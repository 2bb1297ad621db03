"""Object parts: groups of filters that peak at the same place, by the name of the landmark they follow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from tf_explainer.metrics import tracking
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures

_NEAR = 0.1  # sides of the crop
_FORMAT_VERSION = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A group of filters.

    Attributes:
        name: the landmark that at least half of its filters follow, numbered where several groups do, behind
            the category where there are several; else `part N`.
        filters: its members, the steadiest responders first.
        landmark: what it follows, or None.
        found: share of the annotated images on which it is within a tenth of the crop of where the landmark
            lets expect it; None without a landmark.
        responds: share of the images of its category on which any of its filters responds; None if not known.
    """

    name: str
    filters: tuple[int, ...]
    landmark: str | None
    found: float | None
    responds: float | None

    @property
    def title(self) -> str:
        """The name, with how often it is true: `head, 0.93 of images`."""
        return self.name if self.found is None else f"{self.name}, {self.found:.2f} of images"


def name_parts(layer: LayerMeasures, annotations: Annotations, groups: np.ndarray) -> list[Part]:
    """Names groups of a layer's filters, in the order of their numbers.

    Landmarks give names and nothing else: where there are none, groups are numbered.

    Args:
        layer: as measured on the annotated images.
        annotations: categories and landmarks.
        groups: `[F]` int, the group of each filter, or -1; none is empty.
    """
    followed = tracking.best_followed(layer.measures.ratio)
    parts: list[Part] = []
    taken: dict[str, int] = {}
    for group in range(groups.max(initial=-1) + 1):
        members = np.flatnonzero(groups == group)
        steady = members[np.argsort(-layer.peaks.live[:, members].mean(axis=0), kind="stable")]
        category = _most_common(layer.category[members])
        images = annotations.labels == category if category >= 0 else np.ones(len(annotations.labels), bool)
        landmark = _followed(followed[members])
        name = f"part {group + 1}"
        if landmark is not None:
            of_category = len(annotations.categories) > 1 and category >= 0
            name = (f"{annotations.categories[category]} " if of_category else "") + _words(
                annotations.landmark_names[landmark]
            )
            taken[name] = taken.get(name, 0) + 1
            name += f" {taken[name]}" if taken[name] > 1 else ""
        parts.append(
            Part(
                name=name,
                filters=tuple(map(int, steady)),
                landmark=None if landmark is None else annotations.landmark_names[landmark],
                found=None if landmark is None else _found(layer, annotations, members, images, landmark),
                responds=float(layer.peaks.live[images][:, members].any(axis=1).mean())
                if images.any()
                else 0.0,
            )
        )
    return parts


def lone_filter(number: int) -> Part:
    """Returns a filter that is in no group as a part of its own, `filter N`."""
    return Part(name=f"filter {number}", filters=(number,), landmark=None, found=None, responds=None)


def to_json(parts: Sequence[Part], explainer: str) -> str:
    """Returns the content of `parts.json`: parts, and the fingerprint of the explainer that they are of."""
    fields = [dataclasses.asdict(part) for part in parts]
    content = {"format_version": _FORMAT_VERSION, "explainer": explainer, "parts": fields}
    return json.dumps(content, indent=1) + "\n"


def from_json(text: str, explainer: str) -> list[Part]:
    """Reads what `to_json` wrote.

    Args:
        text: of the file.
        explainer: fingerprint of the one that the parts are to be of.

    Raises:
        ValueError: the text is none, or of another explainer.
    """
    try:
        fields = json.loads(text)
        if fields["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format version {fields['format_version']}, not {_FORMAT_VERSION}")
        if fields["explainer"] != explainer:
            raise ValueError(
                f"the parts are of the explainer {fields['explainer'][:12]}, not of the present "
                f"{explainer[:12]}"
            )
        return [Part(**part | {"filters": tuple(part["filters"])}) for part in fields["parts"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no list of parts: {error!r}") from error


def _most_common(values: np.ndarray) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def _followed(followed: np.ndarray) -> int | None:
    landmark = _most_common(followed[followed >= 0]) if (followed >= 0).any() else -1
    return landmark if landmark >= 0 and (followed == landmark).mean() >= 0.5 else None


def _found(
    layer: LayerMeasures, annotations: Annotations, members: np.ndarray, images: np.ndarray, landmark: int
) -> float:
    """Returns how often the group is at its mean offset from the landmark."""
    place = annotations.landmarks[:, landmark, :2].astype(np.float64)
    known = images & ~np.isnan(place[:, 0])
    weight = layer.peaks.values[known][:, members].astype(np.float64)
    seen = weight.sum(axis=1) > 0
    weight = weight[seen] / weight[seen].sum(axis=1, keepdims=True)
    centre = (weight[..., None] * layer.places[known][seen][:, members]).sum(axis=1)
    offset = centre - place[known][seen]
    near = np.linalg.norm(offset - np.median(offset, axis=0), axis=1) < _NEAR if len(offset) else np.zeros(0)
    return float(near.sum() / max(known.sum(), 1))


def _words(name: str) -> str:
    return name.replace("_", " ")
