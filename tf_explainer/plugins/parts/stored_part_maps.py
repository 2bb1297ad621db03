"""Computes the map of a part whose map is not stored: the mean of its filters' maps, normalised by peaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tf_explainer.plugins import stored_values
from tf_explainer.plugins.http import BadRequestError, compressed
from tf_explainer.plugins.stored_values import DamagedError

_GROUP = "group"
_LEVELS = 255
_AT_ONCE = 16


def members(figures: np.ndarray, keys: np.ndarray, group: int) -> list[int]:
    """Returns the filters of a part.

    Args:
        figures: `[F, M]`, as stored.
        keys: `[M]`, of the figures.
        group: number of the part, from 0.

    Raises:
        BadRequestError: there is no such part.
        DamagedError: the stored figures are damaged.
    """
    values, names = stored_values.table(figures), stored_values.texts(keys)
    if len(names) != values.shape[1]:
        raise DamagedError(f"it has {len(names)} keys for {values.shape[1]} figures")
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
        DamagedError: the peaks do not fit the number of filters.
    """
    content = stored_values.unpacked(peaks)
    images, rest = divmod(len(content) - 4 * filters, 3 * filters)
    if rest or images < 1:
        raise DamagedError(f"it has {len(content)} bytes of peaks for {filters} filters")
    stored = np.frombuffer(content, np.uint8, filters * images, offset=4 * filters)
    return np.asarray(stored.reshape(filters, images).mean(axis=1))


def averaged(filters: Sequence[int], loudness: np.ndarray, stream_of: Callable[[int], bytes]) -> bytes:
    """Averages the maps of some filters, each in units of its mean peak.

    Args:
        filters: numbers of the filters.
        loudness: `[F]`, the mean peaks of all filters of the layer; 0: a dead filter.
        stream_of: returns the stored maps of a filter, a GZIP stream of `[N, L, L]` uint8.

    Returns:
        A GZIP stream of `[N, L, L]` uint8; the highest value is 255.

    Raises:
        DamagedError: the maps are damaged or differ in size.
    """
    total: np.ndarray | None = None
    # The fast loader answers slowly, but in parallel.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        streams = list(pool.map(stream_of, filters))
    for f, stream in zip(filters, streams, strict=True):
        maps = np.frombuffer(stored_values.unpacked(stream), np.uint8)
        total = np.zeros(maps.size, np.float32) if total is None else total
        if maps.size != total.size:
            raise DamagedError(f"filter {f} has {maps.size} values instead of {total.size}")
        if loudness[f] > 0:
            total += maps / np.float32(loudness[f])
    if total is None:
        raise DamagedError("a part without filters")
    coded = np.rint(total * (_LEVELS / max(float(total.max(initial=0)), 1e-6))).astype(np.uint8)
    return compressed(coded.tobytes())
