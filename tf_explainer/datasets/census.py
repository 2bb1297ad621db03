"""Counts a folder's images per class and finds copies, so that users see problems before hours of work."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tf_explainer.datasets.folder import Folder
from tf_explainer.datasets.source import ImageSource
from tf_explainer.images.record import ImageReference

_MOST_LISTED = 10
_UNEVEN = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Census:
    """The counts of a folder.

    Attributes:
        counts: number of images by class.
        copies: pairs of images whose files have the same bytes: the first such image, and another one.
    """

    counts: Mapping[str, int]
    copies: Sequence[tuple[ImageReference, ImageReference]]

    @property
    def images(self) -> int:
        """Number of images of all classes."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """Returns lines for the user."""
        return [self._balance(), *([self._copied()] if self.copies else [])]

    def _balance(self) -> str:
        by_size = sorted(self.counts.items(), key=lambda each: -each[1])
        (most, largest), (fewest, smallest) = by_size[0], by_size[-1]
        if len(by_size) <= _MOST_LISTED:
            counts = ", ".join(f"{number} of {name}" for name, number in self.counts.items())
        else:
            counts = (
                f"{self.images} of {len(by_size)} classes, {smallest} ({fewest}) to {largest} ({most}) each"
            )
        if largest < _UNEVEN * smallest:
            return f"Images: {counts}"
        uneven = f"{most} has {largest / max(smallest, 1):.0f} times as many as {fewest}"
        return f"Images: {counts}. {uneven}: measures over all images are mostly about {most}"

    def _copied(self) -> str:
        first, copy = self.copies[0]
        advice = (
            f"{len(self.copies)} files are copies of others, such as {copy.id} of {first.id}: remove them"
        )
        across = [pair for pair in self.copies if pair[0].label != pair[1].label]
        if across:
            first, copy = across[0]
            return f"{advice}. {len(across)} lie in two classes at once, such as {copy.id} and {first.id}"
        return f"{advice}, as a held-out image may be the copy of a training image"


def of_folder(source: ImageSource) -> Census | None:
    """Counts the images of a folder; returns None for other kinds of data sets.

    Files are read only if another file has the same length.
    """
    if not isinstance(source, Folder):
        return None
    references = list(source.references())
    counts = collections.Counter(reference.label for reference in references)
    return Census(
        counts={name: counts[label] for label, name in enumerate(source.classes)},
        copies=list(_copies(references)),
    )


def _copies(references: Iterable[ImageReference]) -> Iterator[tuple[ImageReference, ImageReference]]:
    of_length: dict[int, list[ImageReference]] = collections.defaultdict(list)
    for reference in references:
        if os.path.isfile(reference.location):
            of_length[os.path.getsize(reference.location)].append(reference)
    for several in of_length.values():
        first: dict[bytes, ImageReference] = {}
        for reference in several if len(several) > 1 else ():
            same = first.setdefault(_digest(reference.location), reference)
            if same is not reference:
                yield same, reference


def _digest(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:  # Reading the image reports the error.
        return repr(error).encode()
