"""Lossless encoding of float16 features, in the layout of `schema`: NumPy encodes, TensorFlow decodes."""

from __future__ import annotations

import math
import zlib
from typing import Literal

import numpy as np
import tensorflow as tf

Encoding = Literal["float16", "gzip", "sparse"]

_STREAMS = 3
# Only matches at distance 1, that is runs: features repeat nothing else. A full search for matches makes the
# streams of VGG-16 larger, and takes more than twice the time.
_STRATEGY = zlib.Z_RLE
_LEVEL, _WINDOW_BITS, _MEMORY = 6, 15, 9
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)


def to_float16(features: np.ndarray) -> np.ndarray:
    """Rounds features, of any shape, to the stored type: little-endian float16, in C order.

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
        The byte strings to store: one, or three for `sparse`.
    """
    if encoding != "sparse":
        return (features.tobytes(),)
    # Channel by channel, as most channels are zero or active in one region only.
    bits = np.moveaxis(features, -1, 0).ravel().view("<u2")
    present = bits != 0  # Compares bits, so that -0.0 is stored.
    values = bits[present]
    streams = np.packbits(present, bitorder="little"), values >> 8, values & 255
    return tuple(_deflate(stream.astype(np.uint8).tobytes()) for stream in streams)


def _deflate(stream: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY, _STRATEGY)
    return compressor.compress(stream) + compressor.flush()


def file_compression(encoding: Encoding) -> str:
    """Returns TensorFlow's name of the compression of the TFRecord files."""
    return "GZIP" if encoding == "gzip" else ""


def specification(encoding: Encoding) -> tf.io.FixedLenFeature:
    """Returns the specification by which TensorFlow parses a layer's features in a record."""
    return tf.io.FixedLenFeature((_STREAMS,) if encoding == "sparse" else (), tf.string)


def decode(stored: tf.Tensor, shape: tuple[int, ...], encoding: Encoding) -> tf.Tensor:
    """Decodes a layer's features of single images or batches, inside `tf.data`.

    Args:
        stored: string `[...]`, or `[..., 3]` for the encoding `sparse`, as parsed by `specification`.
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
    """Decodes the streams of a batch, `[B, 3]`, to its values, `[B * units]` float16."""
    units, channels = math.prod(shape), shape[-1]
    streams = tf.io.decode_compressed(streams, "ZLIB")
    mask = tf.gather(tf.constant(_BITS), tf.cast(tf.io.decode_raw(streams[:, 0], tf.uint8), tf.int32))
    # The values of all images are concatenated, as their number differs between images.
    high, low = (tf.io.decode_raw(tf.strings.reduce_join(streams[:, stream]), tf.uint8) for stream in (1, 2))
    values = tf.bitcast(tf.stack([low, high], axis=-1), tf.float16)
    present = tf.where(tf.reshape(mask, (tf.shape(mask)[0], -1)))
    image, unit = present[:, 0], present[:, 1]
    places = units // channels
    index = image * units + unit % places * channels + unit // places
    size = tf.cast(tf.shape(mask)[0], tf.int64) * units
    dense = tf.SparseTensor(index[:, None], values, size[None])
    # No validation: the indices are not in ascending order, and errors in a file change its checksum.
    return tf.sparse.to_dense(dense, validate_indices=False)
