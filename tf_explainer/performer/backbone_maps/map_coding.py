"""Lossless encoding of feature maps as bytes.

```
bits of "is not 0", 8 per byte | the values that are not 0, in order
```
After a ReLU most values of a map are 0: VGG-16's block5_conv3 takes 40 kB instead of 401, in a tenth of the
time that ZLIB takes for the same size.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def encode(values: np.ndarray) -> bytes:
    """Encodes a map of any shape and floating-point type; -0.0 counts as not 0."""
    bits = _bits(np.ascontiguousarray(values))
    is_set = bits != 0
    return np.packbits(is_set).tobytes() + bits[is_set].tobytes()


def decode(encoded: bytes, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Returns the map, of any shape, that `encode` encoded.

    Args:
        encoded: the bytes from `encode`.
        shape: of the map.
        dtype: of its values.

    Raises:
        ValueError: the bytes do not encode such a map.
    """
    values = np.zeros(shape, dtype)
    bits = _bits(values)
    packed = -(-bits.size // 8)
    mask = np.frombuffer(encoded[:packed], np.uint8)
    is_set = np.unpackbits(mask, count=bits.size).astype(bool)
    if len(encoded) != packed + int(is_set.sum()) * bits.itemsize:
        raise ValueError(f"{len(encoded)} bytes are no map of shape {shape}")
    bits[is_set] = np.frombuffer(encoded, bits.dtype, offset=packed)
    return values


def _bits(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1).view(f"u{values.dtype.itemsize}")
