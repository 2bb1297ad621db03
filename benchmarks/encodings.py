"""Measures the encodings of stored features, and prints the tables of docs/performance.md, "Encodings".

python -m benchmarks.encodings FEATURES_DIR...

Every set is stored again in each encoding, and read back in batches, on one core. Times are medians of CPU
time, which other programs on the machine change less.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

import numpy as np
import tensorflow as tf

from tf_explainer.features import feature_coding, schema, stored_records
from tf_explainer.features.dataset import feature_dataset
from tf_explainer.features.feature_coding import Encoding
from tf_explainer.features.manifest import read_manifest
from tf_explainer.features.schema import Manifest

_REPETITIONS = 5
_BATCH = 16
_GZIP_LEVEL = 1  # That of the extraction.
_COLUMNS = (
    "encoding",
    "features, bytes an image",
    "/ float32",
    "record, bytes",
    "/ float32",
    "encode and write, ms",
    "read, images/s",
)


def _seconds(work: Callable[[], object]) -> float:
    """Returns the median CPU time over a few repetitions."""
    measured = []
    for _ in range(_REPETITIONS):
        start = time.process_time()
        work()
        measured.append(time.process_time() - start)
    return statistics.median(measured)


def _write(path: pathlib.Path, examples: Iterable[tf.train.Example], encoding: Encoding) -> None:
    compression = feature_coding.file_compression(encoding)
    options = tf.io.TFRecordOptions(compression, compression_level=_GZIP_LEVEL)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for example in examples:
            writer.write(example.SerializePartialToString(deterministic=True))


def _feature(values: tuple[bytes, ...]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


class StoredAnew:
    """The records of a set, decoded once, so that they can be stored again in any encoding."""

    def __init__(self, features_dir: str) -> None:
        self.manifest = read_manifest(features_dir)
        self._layers = (self.manifest.target, *self.manifest.distilled)
        images = feature_dataset(
            self.manifest,
            features_dir,
            folds=2,
            held_out_fold=0,
            views=(schema.ORIGINAL, *self.manifest.views),
        )
        self.features = {
            image["id"]: {layer.name: image[layer.name] for layer in self._layers}
            for image in images.as_numpy_iterator()
        }
        files = [f"{features_dir}/{shard.file}" for shard in self.manifest.shards]
        compression = feature_coding.file_compression(self.manifest.encoding)
        self._records = list(tf.data.TFRecordDataset(files, compression).as_numpy_iterator())

    @property
    def float32_bytes(self) -> int:
        """Size of one image's features in float32."""
        return 4 * sum(math.prod(layer.shape) for layer in self._layers)

    def _encoded(self, features: dict[str, np.ndarray], encoding: Encoding) -> dict[str, tf.train.Feature]:
        return {
            schema.feature_key(name): _feature(feature_coding.encode(values, encoding))
            for name, values in features.items()
        }

    def write_features(self, path: pathlib.Path, encoding: Encoding) -> None:
        """Writes the features and nothing else."""
        examples = (
            tf.train.Example(features=tf.train.Features(feature=self._encoded(features, encoding)))
            for features in self.features.values()
        )
        _write(path, examples, encoding)

    def write_set(self, directory: pathlib.Path, encoding: Encoding) -> Manifest:
        """Writes complete records, and returns their manifest."""
        path = directory / schema.shard_name(0, 1)
        _write(path, (self._reencoded(record, encoding) for record in self._records), encoding)
        shard = schema.Shard(file=path.name, records=len(self._records), bytes=path.stat().st_size, sha256="")
        return dataclasses.replace(self.manifest, encoding=encoding, shards=(shard,))

    def _reencoded(self, record: bytes, encoding: Encoding) -> tf.train.Example:
        example = tf.train.Example.FromString(record)
        fields = example.features.feature
        for key, value in self._encoded(
            self.features[fields[schema.ID].bytes_list.value[0]], encoding
        ).items():
            fields[key].CopyFrom(value)
        return example


def _images_per_second(manifest: Manifest, directory: pathlib.Path) -> float:
    """Returns the rate of reading, parsing and decoding records in batches, without building the graph."""
    files = [str(directory / shard.file) for shard in manifest.shards]
    views = (schema.ORIGINAL, *manifest.views)
    records = stored_records.parsed(manifest, files, folds=2, held_out_fold=0, split="all", views=views)
    batches = records.batch(_BATCH).map(
        lambda batch: stored_records.decoded(batch, manifest, with_crops=False)
    )
    images = sum(shard.records for shard in manifest.shards)
    return images / _seconds(lambda: collections.deque(batches, maxlen=0))


def _row(stored: StoredAnew, directory: pathlib.Path, encoding: Encoding) -> str:
    count, float32_bytes = len(stored.features), stored.float32_bytes
    alone = directory / "features"
    seconds = _seconds(lambda: stored.write_features(alone, encoding))
    features = alone.stat().st_size / count
    manifest = stored.write_set(directory, encoding)
    record = manifest.shards[0].bytes / count
    cells = (
        f"`{encoding}`",
        f"{features:,.0f}",
        f"{features / float32_bytes:.4f}",
        f"{record:,.0f}",
        f"{record / float32_bytes:.4f}",
        f"{1000 * seconds / count:.2f}",
        f"{_images_per_second(manifest, directory):,.0f}",
    )
    return _line(cells)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(stored: StoredAnew) -> Iterator[str]:
    layer = stored.manifest.target
    zeros = f"{100 * layer.zeros:.1f} % zeros"
    yield f"\n`{layer.name}` {list(layer.shape)}, {zeros}, {len(stored.features)} images\n\n"
    yield _line(_COLUMNS)
    yield _line("---" for _ in _COLUMNS)
    with tempfile.TemporaryDirectory() as directory:
        for encoding in get_args(Encoding):
            yield _row(stored, pathlib.Path(directory), encoding)


def main(features_dirs: list[str]) -> None:
    """Prints a table for each directory."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for features_dir in features_dirs:
        for text in _table(StoredAnew(features_dir)):
            sys.stdout.write(text)
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
