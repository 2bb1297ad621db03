"""Object parts: groups of filters, by the name of the landmark that they are on."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tf_explainer.metrics.followed_landmarks import Followed, Whereabouts
from tf_explainer.metrics.peaks import Peaks

_MOST = 0.5
# More categories than this are counted, not listed: `head (6 of 8)`.
_LISTED = 4
_FORMAT_VERSION = 3
BESIDE = "beside the object"
BORDER = "image border"
BACKGROUND = "background"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A group of filters.

    Attributes:
        number: from 1, in the order of the groups.
        name: unique. The landmark that it is on, with the categories where it is (of many, how many) unless
            these are all; else `image border` if it mostly peaks there, `background` if images without the
            object excite it as much, `beside the object` if it mostly peaks there, else `part N`.
        filters: its members, the steadiest responders first.
        responds: share of the images on which any of its filters responds; None if not known.
        followed: by category, the landmark that it is on there.
        annotated: the categories with landmarks, where it could have been on one.
    """

    number: int
    name: str
    filters: tuple[int, ...]
    responds: float | None = None
    followed: dict[str, Followed] = dataclasses.field(default_factory=dict)
    annotated: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, with how true it is: `legs, 58 % of images against 25 % by chance`."""
        if self.followed:
            shares = {category: _shares(each) for category, each in self.followed.items()}
            if len(self.annotated) == 1:
                return f"{self.name}, {next(iter(shares.values()))}"
            if len(self.annotated) > _LISTED:
                return f"{self.name}, {_range_of_shares(self.followed.values())}"
            return f"{self.name}, {'; '.join(f'{category} {share}' for category, share in shares.items())}"
        return f"{self.name}, on nothing that is annotated" if self.annotated else self.name

    def in_category(self, category: str) -> Part:
        """Returns the part as it is on images of a category: never by the landmark of another one.

        Args:
            category: the name of a class; one without landmarks leaves the part as it is.
        """
        if category not in self.annotated or len(self.annotated) == 1:
            return self
        here = {category: self.followed[category]} if category in self.followed else {}
        name = self.name if here or not self.followed else f"part {self.number}"
        return dataclasses.replace(self, name=name, followed=here, annotated=(category,))


def names_in_category(parts: Sequence[Part], category: str) -> list[str]:
    """Returns what parts are called on images of a category alone: by its landmarks, without its name.

    Args:
        parts: all of them; names stay unique.
        category: the name of a class; one without landmarks leaves the names as they are.
    """
    here = [part.in_category(category) for part in parts]
    if all(each is part for each, part in zip(here, parts, strict=True)):
        return [part.name for part in parts]
    renamed = [
        dataclasses.replace(part, name=_words(part.followed[category].landmark)) if part.followed else part
        for part in here
    ]
    return [part.name for part in _told_apart(renamed)]


def name_parts(
    groups: np.ndarray, peaks: Peaks, found: Sequence[Whereabouts], annotated: Sequence[str]
) -> list[Part]:
    """Names groups of filters, in the order of their numbers.

    Landmarks give names and nothing else: where there are none, groups are numbered.

    Args:
        groups: `[F]` int, the group of each filter, or -1; none is empty.
        peaks: of the filters.
        found: of each group.
        annotated: the categories that have landmarks.
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
    return _told_apart(parts)


def _name(where: Whereabouts, annotated: Sequence[str]) -> str:
    categories = collections.defaultdict(list)
    for category, followed in where.followed.items():
        categories[_words(followed.landmark)].append(category)
    if categories:
        if len(where.followed) == len(annotated) and len(categories) == 1:
            return next(iter(categories))
        often = sorted(categories.items(), key=lambda item: -len(item[1]))
        if len(annotated) > _LISTED:
            return ", ".join(f"{landmark} ({len(names)} of {len(annotated)})" for landmark, names in often)
        return ", ".join(f"{landmark} ({', '.join(names)})" for landmark, names in often)
    if where.border > _MOST:
        return BORDER
    if where.elsewhere >= 1:
        return BACKGROUND
    return BESIDE if where.outside > _MOST else ""


def _told_apart(parts: Sequence[Part]) -> list[Part]:
    """Numbers the second and further parts of one name."""
    taken: collections.Counter[str] = collections.Counter()
    named = []
    for part in parts:
        taken[part.name] += 1
        count = taken[part.name]
        named.append(part if count == 1 else dataclasses.replace(part, name=f"{part.name} {count}"))
    return named


def is_off_object(name: str) -> bool:
    """Returns whether a part of this name is none of the object: background, or on the border."""
    return name.startswith((BESIDE, BORDER, BACKGROUND))


def lone_filter(number: int) -> Part:
    """Returns a filter that is in no group as a part of its own, `filter N`."""
    return Part(number=number, name=f"filter {number}", filters=(number,))


def parts_of_filters(parts: Sequence[Part], filters: int) -> np.ndarray:
    """Returns the index of each filter's part, `[filters]` int; -1 of filters in none.

    Args:
        parts: no filter is in two of them.
        filters: how many the layer has.
    """
    found = np.full(filters, -1)
    for index, part in enumerate(parts):
        found[list(part.filters)] = index
    return found


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
        content = json.loads(text)
        if content["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format version {content['format_version']}, not {_FORMAT_VERSION}")
        if content["explainer"] != explainer:
            raise ValueError(
                f"the parts are of the explainer {content['explainer'][:12]}, not of the present "
                f"{explainer[:12]}"
            )
        return [_part(fields) for fields in content["parts"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no list of parts: {error!r}") from error


def _part(fields: dict[str, Any]) -> Part:
    followed = {category: Followed(**each) for category, each in fields["followed"].items()}
    tuples = {name: tuple(fields[name]) for name in ("filters", "annotated")}
    return Part(**fields | tuples | {"followed": followed})


def _shares(followed: Followed) -> str:
    return f"{100 * followed.found:.0f} % of images against {100 * followed.chance:.0f} % by chance"


def _range_of_shares(followed: Iterable[Followed]) -> str:
    of_each = [(round(100 * each.found), round(100 * each.chance)) for each in followed]
    found, chance = (_range(sorted(shares)) for shares in zip(*of_each, strict=True))
    return f"{found} % of images against {chance} % by chance"


def _range(shares: Sequence[int]) -> str:
    return f"{shares[0]} to {shares[-1]}" if shares[0] < shares[-1] else str(shares[0])


def _words(landmark: str) -> str:
    return landmark.replace("_", " ")
