"""Images that are read by several threads, ahead of whoever uses them."""

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
    """Reads a few parts of the references at once, and yields what is made of them in order.

    Args:
        source: where pixels come from.
        references: what to read.
        size: references in a part.
        use: what a thread makes of a part.
    """
    with ThreadPoolExecutor(_THREADS) as threads:
        pending: collections.deque[Future[list[T]]] = collections.deque()
        for part in _parts(source, references, size):
            pending.append(threads.submit(_used, use, part))
            if len(pending) > _THREADS:
                yield from pending.popleft().result()
        for future in pending:
            yield from future.result()


def _used(use: Callable[[Iterable[ReadResult]], list[T]], part: Part) -> list[T]:
    return use(part())


def _parts(source: ImageSource, references: Sequence[ImageReference], size: int) -> Iterator[Part]:
    if isinstance(source, SequentialSource):
        encoded = source.encoded(references)
        while part := list(itertools.islice(encoded, size)):
            yield functools.partial(map, source.decoded, part)
    else:
        for start in range(0, len(references), size):
            yield functools.partial(source.read, references[start : start + size])
