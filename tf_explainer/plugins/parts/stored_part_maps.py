"""The map of a group of filters whose own map is not stored: their mean, each as loud as the others."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import BadRequestError
from tf_explainer.plugins.stored_values import DamagedError

_GROUP = "group"
_LEVELS = 255
_AT_ONCE = 16


def members(figures: np.ndarray, keys: np.ndarray, group: int) -> list[int]:
    """Returns the filters of a part.

    Args:
        figures: `[F, M]`, as stored.
        keys: `[M]`, their names.
        group: number of the part, from 0.

    Raises:
        BadRequestError: there is no such part.
        DamagedError: what is stored are no figures.
    """
    values, names = stored_values.table(figures), stored_values.texts(keys)
    if len(names) != values.shape[1]:
        raise DamagedError(f"{len(names)} names of {values.shape[1]} figures")
    found = np.flatnonzero(values[:, names.index(_GROUP)] == group).tolist() if _GROUP in names else []
    if not found:
        raise BadRequestError(f"there is no part {group + 1} in this layer")
    return found


def mean_peaks(peaks: bytes, filters: int) -> np.ndarray:
    """Returns each filter's mean peak over the images, `[F]`, in 1/255 of its scale.

    Args:
        peaks: of the layer, as stored.
        filters: F.

    Raises:
        DamagedError: they are of another number of filters.
    """
    content = stored_values.unpacked(peaks)
    images, rest = divmod(len(content) - 4 * filters, 3 * filters)
    if rest or images < 1:
        raise DamagedError(f"{len(content)} bytes of peaks of {filters} filters")
    stored = np.frombuffer(content, np.uint8, filters * images, offset=4 * filters)
    return np.asarray(stored.reshape(filters, images).mean(axis=1))


def averaged(filters: Sequence[int], loudness: np.ndarray, stream_of: Callable[[int], bytes]) -> bytes:
    """Averages the maps of some filters, in units of their mean peaks.

    Args:
        filters: their numbers.
        loudness: `[F]`, the mean peaks of all filters of the layer; those with 0 are dead.
        stream_of: a filter's maps as stored, `[N, L, L]` uint8.

    Returns:
        A GZIP stream of `[N, L, L]` uint8, 255 being the highest value.

    Raises:
        DamagedError: what is stored is not of these filters and images.
    """
    total: np.ndarray | None = None
    # The fast loader takes its time over each answer, and gives many at once.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        streams = list(pool.map(stream_of, filters))
    for f, stream in zip(filters, streams, strict=True):
        maps = np.frombuffer(stored_values.unpacked(stream), np.uint8)
        total = np.zeros(maps.size, np.float32) if total is None else total
        if maps.size != total.size:
            raise DamagedError(f"{maps.size} values of filter {f} instead of {total.size}")
        if loudness[f] > 0:
            total += maps / np.float32(loudness[f])
    if total is None:
        raise DamagedError("a part without filters")
    coded = np.rint(total * (_LEVELS / max(float(total.max(initial=0)), 1e-6))).astype(np.uint8)
    return gzip.compress(coded.tobytes(), compresslevel=5, mtime=0)
