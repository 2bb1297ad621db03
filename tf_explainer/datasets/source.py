"""What every data set offers: cheap references first, pixels when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from tf_explainer.images import ImageRecord, ImageReference, UnreadableImageError

ReadResult = tuple[ImageReference, ImageRecord | UnreadableImageError]


class ImageSource(Protocol):
    """A data set. Sources are picklable and hold no pixels, so that any worker can read them.

    Attributes:
        classes: names by label; the negative class, if there is one, comes last.
        negative_class: the class whose images show no object, or None.
        landmark_names: every landmark that an image may carry, in a fixed order.
    """

    classes: tuple[str, ...]
    negative_class: str | None
    landmark_names: tuple[str, ...]

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, in a fixed order, without decoding pixels."""

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard, in [0, num_shards), that an image always lands in."""

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each reference with its record, or with the reason why it cannot be read."""
