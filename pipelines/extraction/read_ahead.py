"""Reads images by several threads, ahead of their use."""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tf_explainer.datasets.source import ImageSource, ReadResult, SequentialSource
from tf_explainer.images.record import ImageReference

T = TypeVar("T")
Part = Callable[[], Iterable[ReadResult]]

_THREADS = 4


def parts_ahead(
    source: ImageSource,
    references: Sequence[ImageReference],
    size: int,
    use: Callable[[Iterable[ReadResult]], list[T]],
) -> Iterator[T]:
    """Reads and processes a few parts of the references at once, and yields the results in order.

    Args:
        source: the data set.
        references: of the images to read.
        size: number of references in a part.
        use: called by a thread with the images of a part; returns the part's results.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        pending: collections.deque[Future[list[T]]] = collections.deque()
        for part in _parts(source, references, size):
            pending.append(threads.submit(_processed, use, part))
            if len(pending) > _THREADS:
                yield from pending.popleft().result()
        for future in pending:
            yield from future.result()


def _processed(use: Callable[[Iterable[ReadResult]], list[T]], part: Part) -> list[T]:
    return use(part())


def _parts(source: ImageSource, references: Sequence[ImageReference], size: int) -> Iterator[Part]:
    """Yields functions that read a part, so that a thread calls `source.read` or `source.decoded`."""
    if isinstance(source, SequentialSource):
        encoded = source.encoded(references)
        while part := list(itertools.islice(encoded, size)):
            yield functools.partial(map, source.decoded, part)
    else:
        for start in range(0, len(references), size):
            yield functools.partial(source.read, references[start : start + size])
