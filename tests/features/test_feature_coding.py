import math
import zlib

import numpy as np
import pytest
import tensorflow as tf

from tf_explainer.features import feature_coding

ENCODINGS = ("float16", "gzip", "sparse")
SHAPES = [(1,), (7,), (512,), (1, 1, 1), (2, 3, 5), (14, 14, 32), (3, 1, 8)]
# Bit patterns of float16 that an arithmetic detour would change: -0.0, subnormals, the ends of the range.
HARD = np.array([0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x7BFF, 0xFBFF, 0x0400, 0x3C00, 0x00FF], "<u2")


def of_density(random, shape, density, *, negative=False):
    """Random finite float16 bits where there is a value, +0.0 elsewhere."""
    bits = random.integers(0, 0x7C00, shape, np.uint16)
    if negative:
        bits |= (random.integers(0, 2, shape) << 15).astype(np.uint16)
    bits[random.random(shape) >= density] = 0
    return bits.astype("<u2").view("<f2")


def decoded_by_numpy(streams, shape):
    """The layout of `schema`, read value by value."""
    mask, high, low = (zlib.decompress(stream) for stream in streams)
    *grid, channels = shape
    places, units = math.prod(grid), math.prod(shape)
    assert len(mask) == -(-units // 8)
    bits = np.zeros((places, channels), np.uint16)
    taken = 0
    for i in range(8 * len(mask)):
        if mask[i // 8] >> (i % 8) & 1:
            bits[i % places, i // places] = high[taken] << 8 | low[taken]
            taken += 1
    assert taken == len(high) == len(low)
    return bits.view(np.float16).reshape(shape)


def decoded(features, encoding):
    """Encodes images, `[B, *shape]`, and decodes them as one batch and one by one."""
    stored = [feature_coding.encode(image, encoding) for image in features]
    stored = tf.constant(stored if encoding == "sparse" else [image for (image,) in stored])
    images = tf.data.Dataset.from_tensor_slices(stored)
    shape = features.shape[1:]
    return [
        np.concatenate(list(dataset.as_numpy_iterator())).reshape(features.shape)
        for dataset in (
            images.batch(len(features)).map(lambda s: feature_coding.decode(s, shape, encoding)),
            images.map(lambda s: feature_coding.decode(s, shape, encoding)[None]),
        )
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_bit_comes_back(encoding, shape):
    random = np.random.default_rng(len(shape))
    images = [
        of_density(random, shape, density, negative=negative)
        for density in (0.0, 0.07, 0.5, 1.0)
        for negative in (False, True)
    ]
    images.append(np.resize(HARD, shape).view("<f2"))
    features = np.stack(images)
    for back in decoded(features, encoding):
        assert back.dtype == np.float16
        assert back.tobytes() == features.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_layout_is_the_documented_one(shape):
    random = np.random.default_rng(1)
    for density in (0.0, 0.1, 1.0):
        features = of_density(random, shape, density, negative=True)
        streams = feature_coding.encode(features, "sparse")
        assert decoded_by_numpy(streams, shape).tobytes() == features.tobytes()


def test_bytes_of_the_plain_encodings_are_the_values():
    values = feature_coding.to_float16(np.array([[1.0, -2.0], [0.5, 0.0]], np.float32))
    for encoding in ("float16", "gzip"):
        assert feature_coding.encode(values, encoding) == (bytes.fromhex("003c00c000380000"),)


def test_streams_by_hand():
    """Two places, two channels: 1.0 and -2.0 at the second place."""
    values = np.array([[[0.0, 0.0], [1.0, -2.0]]], "<f2")
    streams = [zlib.decompress(stream) for stream in feature_coding.encode(values, "sparse")]
    assert streams == [bytes([0b1010]), bytes([0x3C, 0xC0]), bytes(2)]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_same_features_have_the_same_bytes(encoding):
    features = of_density(np.random.default_rng(2), (4, 4, 16), 0.2)
    assert feature_coding.encode(features, encoding) == feature_coding.encode(features.copy(), encoding)


def test_sparse_features_take_little_space():
    """Within 5 % of the entropy of the places and of the values' random bits."""
    density, units = 0.07, 14 * 14 * 512
    features = of_density(np.random.default_rng(3), (14, 14, 512), density)
    places = units * -(density * np.log2(density) + (1 - density) * np.log2(1 - density))
    values = units * density * np.log2(0x7C00)
    length = sum(map(len, feature_coding.encode(features, "sparse")))
    assert length < 1.05 * (places + values) / 8


def test_shapes_are_known_before_anything_is_decoded():
    for encoding in ENCODINGS:
        (spec,) = (
            tf.data.Dataset.from_tensor_slices([b""])
            .map(
                lambda _, encoding=encoding: (
                    feature_coding.decode(
                        tf.zeros((), tf.string) if encoding != "sparse" else tf.zeros((3,), tf.string),
                        (2, 3),
                        encoding,
                    ),
                )
            )
            .element_spec
        )
        assert (spec.shape, spec.dtype) == ((2, 3), tf.float16)


def test_an_empty_batch_is_decoded():
    stored = tf.zeros((0, 3), tf.string)
    assert feature_coding.decode(stored, (2, 2, 3), "sparse").shape == (0, 2, 2, 3)


@pytest.mark.parametrize("stream", range(3))
def test_a_torn_stream_is_told(stream):
    streams = list(feature_coding.encode(of_density(np.random.default_rng(4), (4, 4, 16), 0.5), "sparse"))
    streams[stream] = streams[stream][: len(streams[stream]) // 2]
    dataset = tf.data.Dataset.from_tensors(streams).map(
        lambda stored: feature_coding.decode(stored, (4, 4, 16), "sparse")
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(dataset)


def test_rounding_is_that_of_float16():
    values = np.float32([[1 / 3, -1e-8], [65519, 65504]])
    half = feature_coding.to_float16(values)
    assert half.dtype == "<f2"
    np.testing.assert_array_equal(half, values.astype(np.float16))
    assert feature_coding.to_float16(np.asfortranarray(values)).tobytes() == half.tobytes()


@pytest.mark.parametrize("value", [65520.0, -1e9, np.inf, np.nan])
def test_what_float16_cannot_hold_is_refused(value):
    with pytest.raises(OverflowError, match="float16"):
        feature_coding.to_float16(np.float32([0, value]))
