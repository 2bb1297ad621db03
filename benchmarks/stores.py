"""Several ways to store the same features: this project's encodings, lists of floats in records, HDF5."""

from __future__ import annotations

import abc
import functools
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from benchmarks.encodings import StoredAnew
from tf_explainer.features import feature_coding, schema
from tf_explainer.features.feature_coding import Encoding

BATCH = 16

Features = Mapping[str, np.ndarray]


class Store(abc.ABC):
    """A file with the features of many images.

    Args:
        path: of the file.
        images: the float16 features of each image, by layer.
    """

    def __init__(self, path: str, images: Sequence[Features]) -> None:
        self.path, self.images = path, images
        self.shapes = {name: values.shape for name, values in images[0].items()}

    @property
    def float32_bytes(self) -> int:
        """Size of one image's features in float32."""
        return 4 * sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def bytes(self) -> float:
        """Size of the file per image."""
        return os.path.getsize(self.path) / len(self.images)

    @abc.abstractmethod
    def write(self) -> None:
        """Writes or replaces the file."""

    @abc.abstractmethod
    def batches(self) -> Iterator[Mapping[str, Any]]:
        """Yields all images in order, batch by batch, as float32 TensorFlow tensors."""

    def read(self) -> None:
        """Reads all images."""
        for _ in self.batches():
            pass


class Records(Store):
    """A TFRecord file, read by tf.data."""

    def batches(self) -> Iterator[Mapping[str, Any]]:
        """See the base class."""
        return iter(self._dataset)

    @functools.cached_property
    def _dataset(self) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(self.path).batch(BATCH)
        return records.map(self._decoded)

    @abc.abstractmethod
    def _decoded(self, records: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parses and decodes a batch."""


class Ours(Records):
    """An encoding of this project.

    Args:
        path: of the file.
        stored: the features.
        encoding: the encoding.
    """

    def __init__(self, path: str, stored: StoredAnew, encoding: Encoding) -> None:
        super().__init__(path, list(stored.features.values()))
        self._stored, self._encoding = stored, encoding

    def write(self) -> None:
        """See the base class."""
        self._stored.write_features(pathlib.Path(self.path), self._encoding)

    def _decoded(self, records: tf.Tensor) -> dict[str, tf.Tensor]:
        specification = feature_coding.specification(self._encoding)
        parsed = tf.io.parse_example(
            records, {schema.feature_key(name): specification for name in self.shapes}
        )
        return {
            name: tf.cast(
                feature_coding.decode(parsed[schema.feature_key(name)], shape, self._encoding), tf.float32
            )
            for name, shape in self.shapes.items()
        }


class FloatLists(Records):
    """`float_list` of `tf.train.Example`, the usual way."""

    def write(self) -> None:
        """See the base class."""
        with tf.io.TFRecordWriter(self.path) as writer:
            for image in self.images:
                feature = {
                    name: tf.train.Feature(float_list=tf.train.FloatList(value=values.ravel()))
                    for name, values in image.items()
                }
                writer.write(
                    tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
                )

    def _decoded(self, records: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.io.parse_example(
            records,
            {name: tf.io.FixedLenFeature(shape, tf.float32) for name, shape in self.shapes.items()},
        )


class Hdf5(Store):
    """An HDF5 file with a data set for each layer, in which each image is a chunk.

    Args:
        path: of the file.
        images: see the base class.
        dtype: of the stored values.
        options: compression options of h5py's `create_dataset`.
    """

    def __init__(self, path: str, images: Sequence[Features], dtype: str, **options: Any) -> None:
        super().__init__(path, images)
        self._dtype, self._options = dtype, options

    def write(self) -> None:
        """See the base class."""
        with h5py.File(self.path, "w") as file:
            for name, shape in self.shapes.items():
                layer = file.create_dataset(
                    name, (len(self.images), *shape), self._dtype, chunks=(1, *shape), **self._options
                )
                for row, image in enumerate(self.images):
                    layer[row] = image[name]

    def batches(self) -> Iterator[Mapping[str, Any]]:
        """See the base class."""
        with h5py.File(self.path) as file:
            for first in range(0, len(self.images), BATCH):
                yield {
                    name: tf.constant(file[name][first : first + BATCH], tf.float32) for name in self.shapes
                }


def stores(directory: str, stored: StoredAnew) -> dict[str, Store]:
    """Returns all stores of the same features, by name.

    Args:
        directory: for their files.
        stored: the features.
    """
    images = list(stored.features.values())
    return {
        "`sparse`": Ours(f"{directory}/sparse", stored, "sparse"),
        "`float16`": Ours(f"{directory}/float16", stored, "float16"),
        "`float_list` of `tf.train.Example`": FloatLists(f"{directory}/float_list", images),
        "HDF5, float32": Hdf5(f"{directory}/float32.h5", images, "f4"),
        "HDF5, float16, gzip and shuffle": Hdf5(
            f"{directory}/gzip.h5", images, "f2", compression="gzip", compression_opts=1, shuffle=True
        ),
    }
