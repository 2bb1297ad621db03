"""What every data set offers: cheap references first, pixels when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError

ReadResult = tuple[ImageReference, ImageRecord | UnreadableImageError]
EncodedResult = tuple[ImageReference, bytes | UnreadableImageError]


class ImageSource(Protocol):
    """A data set. Sources are picklable and hold no pixels, so that any worker can read them."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by label, in the order of `all_classes`."""

    @property
    def all_classes(self) -> tuple[str, ...]:
        """Names of all classes that the data set has, in its own order, whether they take part or not."""

    @property
    def negative_class(self) -> str | None:
        """The class whose images show no object, or None."""

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Every landmark that an image may carry, in a fixed order."""

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, in a fixed order, without decoding pixels."""

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard, in [0, num_shards), that an image always lands in."""

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each reference with its record, or with the reason why it cannot be read.

        A source may yield in an order of its own; every reference is yielded once.
        """


@runtime_checkable
class SequentialSource(ImageSource, Protocol):
    """A data set in files of many images, each of which can only be read from its start.

    To begin in the middle costs reading all that stands before. So one reader goes through the files, and
    only decoding is divided among threads.
    """

    def at_most(self) -> int:
        """Returns the number of images, without reading; some may be of classes that take no part."""

    def parts(self) -> Sequence[ImageSource]:
        """Divides the data set by its files; the references of all parts are its own, in their order."""

    def encoded(self, references: Iterable[ImageReference]) -> Iterator[EncodedResult]:
        """Yields what `read` does, in the same order, with every image as its file holds it."""

    def decoded(self, result: EncodedResult) -> ReadResult:
        """Decodes one image, in any thread."""
