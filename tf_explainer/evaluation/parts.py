"""Object parts: groups of filters, named after the landmark that they follow."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tf_explainer.metrics.followed_landmarks import Followed, Whereabouts
from tf_explainer.metrics.peaks import Peaks

# Share of the images on which a part must peak at the border, or beside the object, to be named after it.
_MOST = 0.5
# If there are more categories than this, names count them instead of listing them: `head (6 of 8)`.
_LISTED = 4
_FORMAT_VERSION = 3
BESIDE = "beside the object"
BORDER = "image border"
BACKGROUND = "background"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A group of filters that detect the same object part.

    Attributes:
        number: number of the part, from 1, in the order of the groups.
        name: unique name. It is the landmark that the part follows, with the names or the number of the
            categories in which it does unless it does in all; otherwise `image border` if it mostly peaks
            there, `background` if images without the object excite it as much, `beside the object` if it
            mostly peaks there, or else `part N`.
        filters: its filters; the one that responds to most images comes first.
        responds: share of the images to which any of its filters responds; None if unknown.
        followed: the landmark that it follows, by category; categories in which it follows none are left out.
        annotated: the categories with landmarks.
    """

    number: int
    name: str
    filters: tuple[int, ...]
    responds: float | None = None
    followed: dict[str, Followed] = dataclasses.field(default_factory=dict)
    annotated: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, with the measured shares of images: `legs, 58 % of images against 25 % by chance`."""
        if self.followed:
            if len(self.annotated) == 1 or len(self.annotated) > _LISTED:
                return f"{self.name}, {_shares(self.followed.values())}"
            shares = (f"{category} {_shares([landmark])}" for category, landmark in self.followed.items())
            return f"{self.name}, {'; '.join(shares)}"
        return f"{self.name}, on nothing that is annotated" if self.annotated else self.name

    def in_category(self, category: str) -> Part:
        """Returns the part as seen on images of a category, without the landmarks of other categories.

        Args:
            category: name of a class; if it has no landmarks, the part is returned unchanged.
        """
        if category not in self.annotated or len(self.annotated) == 1:
            return self
        here = {category: self.followed[category]} if category in self.followed else {}
        name = self.name if here or not self.followed else f"part {self.number}"
        return dataclasses.replace(self, name=name, followed=here, annotated=(category,))


def names_in_category(parts: Sequence[Part], category: str) -> list[str]:
    """Returns the parts' names for images of a single category: its landmarks, without the category's name.

    Args:
        parts: all parts; the names stay unique.
        category: name of a class; if it has no landmarks, the names are unchanged.
    """
    here = [part.in_category(category) for part in parts]
    if all(each is part for each, part in zip(here, parts, strict=True)):
        return [part.name for part in parts]
    renamed = [
        dataclasses.replace(part, name=_words(part.followed[category].landmark)) if part.followed else part
        for part in here
    ]
    return [part.name for part in _with_unique_names(renamed)]


def name_parts(
    groups: np.ndarray, peaks: Peaks, found: Sequence[Whereabouts], annotated: Sequence[str]
) -> list[Part]:
    """Names groups of filters, in the order of their numbers.

    Landmarks only provide names; `Part` says how groups that follow no landmark are named.

    Args:
        groups: `[F]` int, the group of each filter, or -1; no group is empty.
        peaks: peaks of the filters.
        found: where each group peaks.
        annotated: the categories with landmarks.
    """
    parts = []
    for group, where in enumerate(found):
        members = np.flatnonzero(groups == group)
        live = peaks.live[:, members]
        parts.append(
            Part(
                number=group + 1,
                name=_name(where, annotated) or f"part {group + 1}",
                filters=tuple(map(int, members[np.argsort(-live.mean(axis=0), kind="stable")])),
                responds=float(live.any(axis=1).mean()),
                followed=where.followed,
                annotated=tuple(annotated),
            )
        )
    return _with_unique_names(parts)


def _name(where: Whereabouts, annotated: Sequence[str]) -> str:
    categories = collections.defaultdict(list)
    for category, followed in where.followed.items():
        categories[_words(followed.landmark)].append(category)
    if categories:
        if len(where.followed) == len(annotated) and len(categories) == 1:
            return next(iter(categories))
        by_count = sorted(categories.items(), key=lambda item: -len(item[1]))
        if len(annotated) > _LISTED:
            return ", ".join(f"{landmark} ({len(names)} of {len(annotated)})" for landmark, names in by_count)
        return ", ".join(f"{landmark} ({', '.join(names)})" for landmark, names in by_count)
    if where.border > _MOST:
        return BORDER
    if where.elsewhere >= 1:
        return BACKGROUND
    return BESIDE if where.outside > _MOST else ""


def _with_unique_names(parts: Sequence[Part]) -> list[Part]:
    """Appends a number to the second and further parts of the same name."""
    counts: collections.Counter[str] = collections.Counter()
    named = []
    for part in parts:
        counts[part.name] += 1
        count = counts[part.name]
        named.append(part if count == 1 else dataclasses.replace(part, name=f"{part.name} {count}"))
    return named


def is_off_object(name: str) -> bool:
    """Returns whether a part of this name is off the object: beside it, at the border or background."""
    return name.startswith((BESIDE, BORDER, BACKGROUND))


def lone_filter(number: int) -> Part:
    """Returns a filter that is in no group as a part named `filter N`."""
    return Part(number=number, name=f"filter {number}", filters=(number,))


def parts_of_filters(parts: Sequence[Part], filters: int) -> np.ndarray:
    """Returns the index of each filter's part, `[filters]` int; -1 for filters in no part.

    Args:
        parts: the parts; no filter is in two of them.
        filters: number of filters of the layer.
    """
    indices = np.full(filters, -1)
    for index, part in enumerate(parts):
        indices[list(part.filters)] = index
    return indices


def to_json(parts: Sequence[Part], explainer: str) -> str:
    """Returns the content of `parts.json`: the parts and the fingerprint of their explainer."""
    fields = [dataclasses.asdict(part) for part in parts]
    content = {"format_version": _FORMAT_VERSION, "explainer": explainer, "parts": fields}
    return json.dumps(content, indent=1) + "\n"


def from_json(text: str, explainer: str) -> list[Part]:
    """Reads the parts that `to_json` wrote.

    Args:
        text: content of the file.
        explainer: fingerprint of the explainer that the parts must belong to.

    Raises:
        ValueError: the text is not a list of parts, or belongs to another explainer.
    """
    try:
        content = json.loads(text)
        if content["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format version {content['format_version']}, not {_FORMAT_VERSION}")
        if content["explainer"] != explainer:
            raise ValueError(
                f"the parts belong to the explainer {content['explainer'][:12]}, not to the current one, "
                f"{explainer[:12]}"
            )
        return [_part(fields) for fields in content["parts"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a list of parts: {error!r}") from error


def _part(fields: dict[str, Any]) -> Part:
    followed = {category: Followed(**each) for category, each in fields["followed"].items()}
    tuples = {name: tuple(fields[name]) for name in ("filters", "annotated")}
    return Part(**fields | tuples | {"followed": followed})


def _shares(followed: Iterable[Followed]) -> str:
    percentages = [(round(100 * each.found), round(100 * each.chance)) for each in followed]
    found, chance = (_range(sorted(shares)) for shares in zip(*percentages, strict=True))
    return f"{found} % of images against {chance} % by chance"


def _range(shares: Sequence[int]) -> str:
    return f"{shares[0]} to {shares[-1]}" if shares[0] < shares[-1] else str(shares[0])


def _words(landmark: str) -> str:
    return landmark.replace("_", " ")
