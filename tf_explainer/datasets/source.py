"""The interface of all data sets: cheap references first, pixels on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from tf_explainer.images.folds import hashed_shard
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
        """Names of all classes of the data set, in its own order, including classes that are not used."""

    @property
    def negative_class(self) -> str | None:
        """The class whose images show no object, or None."""

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of all landmarks that an image may have, in a fixed order."""

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, in a fixed order, without decoding pixels."""

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard of an image, in [0, num_shards): always the same one."""

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each reference once, with its record or why it cannot be read, in the source's own order."""


class HashedShards:
    """A base of data sets that distribute their images over shards by a hash."""

    def shard_of(self, reference: ImageReference, num_shards: int) -> int:
        """Returns the shard of an image: a hash of its id."""
        return hashed_shard(reference.id, num_shards)


@runtime_checkable
class SequentialSource(ImageSource, Protocol):
    """A data set in files of many images that can only be read from the start.

    Reading an image requires reading everything before it. So one reader goes through the files, and only
    decoding is divided among threads.
    """

    def at_most(self) -> int:
        """Returns the number of images, without reading; some may belong to classes that are not used."""

    def parts(self) -> Sequence[ImageSource]:
        """Divides the data set at file boundaries; the parts' references, in order, are those of this set."""

    def encoded(self, references: Iterable[ImageReference]) -> Iterator[EncodedResult]:
        """Yields the same as `read`, but with every image still encoded as in its file."""

    def decoded(self, result: EncodedResult) -> ReadResult:
        """Decodes one image; any thread may call this."""
