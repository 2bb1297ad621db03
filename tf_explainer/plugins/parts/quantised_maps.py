"""Quantises feature maps to bytes, and packs them."""

from __future__ import annotations

import gzip

import numpy as np

LEVELS = 255


def quantised(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises maps in 1/255 of each filter's highest activation; negative values become 0.

    Args:
        maps: `[N, L, L, F]`, any float dtype.

    Returns:
        `[F, N, L, L]` uint8 and the scales `[F]` float32; 1 for filters that respond nowhere.
    """
    maximum = maps.max(axis=(0, 1, 2)).astype(np.float32)
    scales = np.where(maximum > 0, maximum, 1).astype(np.float32)
    coded = np.empty((maps.shape[-1], *maps.shape[:-1]), np.uint8)
    for n, image in enumerate(maps):
        share = np.clip(image.astype(np.float32) / scales, 0, 1)
        coded[:, n] = np.rint(share * LEVELS).astype(np.uint8).transpose(2, 0, 1)
    return coded, scales


def peaks_blob(maps: np.ndarray, scales: np.ndarray) -> bytes:
    """Packs scales, peaks and peak units.

    Args:
        maps: `[F, N, L, L]` uint8.
        scales: `[F]` float32.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    parts = scales.astype("<f4"), flat.max(axis=2), flat.argmax(axis=2).astype("<u2")
    return packed(b"".join(part.tobytes() for part in parts))


def tops_blob(maps: np.ndarray) -> bytes:
    """Packs each filter's map of the image on which its peak is highest (the first of several).

    Args:
        maps: `[F, N, L, L]` uint8.
    """
    strongest = maps.max(axis=(2, 3)).argmax(axis=1)
    return packed(maps[np.arange(len(maps)), strongest].tobytes())


def packed(content: bytes) -> bytes:
    """Compresses content as a GZIP stream, which is reproducible."""
    return gzip.compress(content, compresslevel=6, mtime=0)
