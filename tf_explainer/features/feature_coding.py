"""How features become bytes and back: NumPy writes, TensorFlow reads; `schema` has the layout.

Every encoding gives back the very bits of the float16 values, whatever they are.
"""

from __future__ import annotations

import math
import zlib
from typing import Literal

import numpy as np
import tensorflow as tf

Encoding = Literal["float16", "gzip", "sparse"]

_STREAMS = 3
# Matches of distance 1 only: runs. Features repeat nothing else, so that a search for longer matches makes
# streams of VGG-16 larger, at twice the time and more.
_STRATEGY = zlib.Z_RLE
_LEVEL, _WINDOW_BITS, _MEMORY = 6, 15, 9
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)


def to_float16(features: np.ndarray) -> np.ndarray:
    """Rounds features, of any shape, to what is stored: little-endian float16, in C order.

    Raises:
        OverflowError: a value is not finite in float16 (its range ends at 65,504).
    """
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(features, dtype="<f2")
    if not np.isfinite(half).all():
        raise OverflowError(
            f"features reach {np.abs(features).max():g}, which float16 (up to 65504) cannot hold"
        )
    return half


def encode(features: np.ndarray, encoding: Encoding) -> tuple[bytes, ...]:
    """Encodes one image's features of one layer.

    Args:
        features: `[L, L, D]` or `[units]`, as `to_float16` returns them.
        encoding: of the set.

    Returns:
        The record's byte strings: one, or the three streams of `sparse`.
    """
    if encoding != "sparse":
        return (features.tobytes(),)
    # Channel by channel: most channels are silent, or active in one region.
    bits = np.moveaxis(features, -1, 0).ravel().view("<u2")
    present = bits != 0  # As bits, so that -0.0 is a value.
    values = bits[present]
    streams = np.packbits(present, bitorder="little"), values >> 8, values & 255
    return tuple(_deflate(stream.astype(np.uint8).tobytes()) for stream in streams)


def _deflate(stream: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY, _STRATEGY)
    return compressor.compress(stream) + compressor.flush()


def file_compression(encoding: Encoding) -> str:
    """Returns the compression of whole files, as TensorFlow names it."""
    return "GZIP" if encoding == "gzip" else ""


def specification(encoding: Encoding) -> tf.io.FixedLenFeature:
    """Returns what a layer's features are in a record, to be parsed."""
    return tf.io.FixedLenFeature((_STREAMS,) if encoding == "sparse" else (), tf.string)


def decode(stored: tf.Tensor, shape: tuple[int, ...], encoding: Encoding) -> tf.Tensor:
    """Decodes a layer's features; works inside `tf.data`, batch by batch as well as one by one.

    Args:
        stored: string `[...]`, or `[..., 3]` where the encoding is `sparse`, as parsed by `specification`.
        shape: of one image's features.
        encoding: of the set.

    Returns:
        `[..., *shape]` float16.
    """
    if encoding == "sparse":
        batch, static = tf.shape(stored)[:-1], stored.shape[:-1]
        flat = _decode_sparse(tf.reshape(stored, (-1, _STREAMS)), shape)
    else:
        batch, static = tf.shape(stored), stored.shape
        flat = tf.io.decode_raw(stored, tf.float16)
    return tf.ensure_shape(tf.reshape(flat, tf.concat([batch, shape], axis=0)), static.concatenate(shape))


def _decode_sparse(streams: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """From the streams of a batch, `[B, 3]`, to its values, `[B * units]` float16."""
    units, channels = math.prod(shape), shape[-1]
    streams = tf.io.decode_compressed(streams, "ZLIB")
    mask = tf.gather(tf.constant(_BITS), tf.cast(tf.io.decode_raw(streams[:, 0], tf.uint8), tf.int32))
    # Values of all images in a row: their number differs from image to image.
    high, low = (tf.io.decode_raw(tf.strings.reduce_join(streams[:, stream]), tf.uint8) for stream in (1, 2))
    values = tf.bitcast(tf.stack([low, high], axis=-1), tf.float16)
    present = tf.where(tf.reshape(mask, (tf.shape(mask)[0], -1)))
    image, unit = present[:, 0], present[:, 1]
    places = units // channels
    index = image * units + unit % places * channels + unit // places
    size = tf.cast(tf.shape(mask)[0], tf.int64) * units
    dense = tf.SparseTensor(index[:, None], values, size[None])
    # Not in ascending order: the file's checksum stands for the rest of what could be validated.
    return tf.sparse.to_dense(dense, validate_indices=False)
