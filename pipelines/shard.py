"""One output shard: the unit of work, of resumption and of failure.

A shard's images, their order and its batches depend on the data set and the settings alone, and so do its
bytes, whatever the runner. A sidecar beside the file tells what is in it; a shard that has one is done.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import posixpath
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from PIL import Image

from tf_explainer import images, schema
from tf_explainer.datasets.source import ImageSource
from tf_explainer.images import ImageRecord, ImageReference, UnreadableImageError

Predict = Callable[[np.ndarray], dict[str, np.ndarray]]
_Crop = tuple[ImageReference, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardSettings:
    """What every shard of a set has in common.

    Attributes:
        features_dir: where shards lie.
        layers: target layer first, then the distilled ones.
        landmarks: names by row.
        image_size: side of the crops, in pixels.
        num_shards, batch_size, compression, jpeg_quality: see `config.ExtractionConfig`.
        configuration: text that identifies everything that the shard's bytes depend on.
    """

    features_dir: str
    layers: tuple[str, ...]
    landmarks: tuple[str, ...]
    image_size: int
    num_shards: int
    batch_size: int
    compression: str
    jpeg_quality: int
    configuration: str


@dataclasses.dataclass(kw_only=True)
class LayerSums:
    """Sums over a shard's images, from which the manifest's statistics are made (float64).

    Attributes:
        shape: of one image's features.
        units: values seen.
        total: of all values.
        norm, square_norm: of each image's Euclidean norm of `max(x, 0)`, and of its squared norm.
        zeros: values that are exactly 0.
    """

    shape: tuple[int, ...] = ()
    units: int = 0
    total: float = 0.0
    norm: float = 0.0
    square_norm: float = 0.0
    zeros: int = 0

    def add(self, features: np.ndarray) -> None:
        """Takes in one image's features, as they are stored."""
        values = features.astype(np.float64)
        self.shape = tuple(features.shape)
        self.units += values.size
        self.total += float(values.sum())
        self.norm += float(np.sqrt(np.square(np.maximum(values, 0)).sum()))
        self.square_norm += float(np.square(values).sum())
        self.zeros += int(values.size - np.count_nonzero(values))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardReport:
    """A shard's sidecar.

    Attributes:
        index: of the shard.
        digest: of its references and settings: a shard with the same digest is the same shard.
        shard: file name, records, bytes and checksum.
        labels: records by label.
        num_scores: width of the performer's output; 0 in an empty shard.
        sums: by layer.
        dead_letters: id, location and reason of every image that is not in the shard.
    """

    index: int
    digest: str
    shard: schema.Shard
    labels: dict[int, int]
    num_scores: int
    sums: dict[str, LayerSums]
    dead_letters: tuple[dict[str, str], ...]

    def to_json(self) -> str:
        """Returns the report as JSON."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ShardReport:
        """Reads what `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            **fields
            | {
                "shard": schema.Shard(**fields["shard"]),
                "labels": {int(label): count for label, count in fields["labels"].items()},
                "sums": {
                    layer: LayerSums(**sums | {"shape": tuple(sums["shape"])})
                    for layer, sums in fields["sums"].items()
                },
                "dead_letters": tuple(fields["dead_letters"]),
            }
        )


def sidecar_path(settings: ShardSettings, index: int) -> str:
    """Returns where a shard's report lies."""
    return posixpath.join(settings.features_dir, schema.shard_name(index, settings.num_shards) + ".json")


def finished_report(
    settings: ShardSettings, index: int, references: Sequence[ImageReference]
) -> ShardReport | None:
    """Returns the report of a shard that is already there, whole and of the same images and settings."""
    path = sidecar_path(settings, index)
    if not FileSystems.exists(path):
        return None
    with FileSystems.open(path) as file:
        report = ShardReport.from_json(file.read().decode())
    file_path = posixpath.join(settings.features_dir, report.shard.file)
    if report.digest != _digest(settings, references) or not FileSystems.exists(file_path):
        return None
    (match,) = FileSystems.match([file_path])
    return report if match.metadata_list[0].size_in_bytes == report.shard.bytes else None


class ShardWriter:
    """Computes and writes one shard.

    Args:
        settings: of the set.
        source: where pixels come from.
        predict: the performer: uint8 crops `[B, S, S, 3]` to each layer's features and the scores, by name.
        on_batch: called with the number of images and the seconds of each batch, for counters.
    """

    def __init__(
        self,
        settings: ShardSettings,
        source: ImageSource,
        predict: Predict,
        on_batch: Callable[[int, float], None],
    ) -> None:
        self._settings, self._source, self._predict, self._on_batch = settings, source, predict, on_batch

    def write(self, index: int, references: Sequence[ImageReference]) -> ShardReport:
        """Writes a shard and its sidecar, each under a temporary name that is then renamed.

        Args:
            index: of the shard.
            references: of its images, sorted by id.

        Returns:
            What the sidecar says.
        """
        settings = self._settings
        self._dead_letters: list[dict[str, str]] = []
        self._sums = {layer: LayerSums() for layer in settings.layers}
        self._labels: dict[int, int] = {}
        self._num_scores = 0
        name = schema.shard_name(index, settings.num_shards)
        with tempfile.TemporaryDirectory() as directory:
            local = f"{directory}/{name}"
            options = tf.io.TFRecordOptions("GZIP" if settings.compression == "gzip" else "")
            with tf.io.TFRecordWriter(local, options) as writer:
                for record in self._records(references):
                    writer.write(record)
            with open(local, "rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
                length = file.tell()
            _publish(local, posixpath.join(settings.features_dir, name))
        report = ShardReport(
            index=index,
            digest=_digest(settings, references),
            shard=schema.Shard(file=name, records=sum(self._labels.values()), bytes=length, sha256=checksum),
            labels=dict(sorted(self._labels.items())),
            num_scores=self._num_scores,
            sums=self._sums,
            dead_letters=tuple(sorted(self._dead_letters, key=lambda letter: letter["id"])),
        )
        publish_text(sidecar_path(settings, index), report.to_json())
        return report

    def _records(self, references: Sequence[ImageReference]) -> Iterator[bytes]:
        # One thread decodes the next batch while the performer computes this one.
        crops = self._crops(references)
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(lambda: list(itertools.islice(crops, self._settings.batch_size)))
            while batch := following.result():
                following = ahead.submit(lambda: list(itertools.islice(crops, self._settings.batch_size)))
                yield from self._examples(batch)

    def _crops(self, references: Iterable[ImageReference]) -> Iterator[_Crop]:
        for reference, result in self._source.read(references):
            try:
                if not isinstance(result, ImageRecord):
                    raise result
                yield (
                    reference,
                    images.crop_to_object(result, self._settings.image_size),
                    images.landmarks_in_crop(result, self._settings.landmarks),
                )
            except UnreadableImageError as error:
                self._bury(reference, str(error))

    def _examples(self, batch: Sequence[_Crop]) -> Iterator[bytes]:
        start = time.perf_counter()
        try:
            outputs = self._predict(np.stack([crop for _, crop, _ in batch]))
            examples = [
                self._example(*item, {name: values[row] for name, values in outputs.items()})
                for row, item in enumerate(batch)
            ]
        except Exception as error:  # Whatever the performer raises: the other images of the batch go on.
            if len(batch) == 1:
                self._bury(batch[0][0], f"the performer fails on it: {type(error).__name__}: {error}")
                return
            for item in batch:
                yield from self._examples([item])
            return
        self._on_batch(len(batch), time.perf_counter() - start)
        for (reference, _, _), (example, stored, num_scores) in zip(batch, examples, strict=True):
            for layer, features in stored.items():
                self._sums[layer].add(features)
            self._labels[reference.label] = self._labels.get(reference.label, 0) + 1
            self._num_scores = num_scores
            yield example

    def _example(
        self,
        reference: ImageReference,
        crop: np.ndarray,
        landmarks: np.ndarray,
        outputs: dict[str, np.ndarray],
    ) -> tuple[bytes, dict[str, np.ndarray], int]:
        encoded = {layer: schema.encode_features(outputs[layer]) for layer in self._settings.layers}
        scores = outputs[schema.SCORES].astype(np.float32)
        feature = {
            schema.ID: _bytes(reference.id.encode()),
            schema.LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[reference.label])),
            schema.FOLD_POSITION: _floats([images.fold_position(reference.id)]),
            schema.LANDMARKS: _floats(landmarks.ravel()),
            schema.CROP: _bytes(_jpeg(crop, self._settings.jpeg_quality)),
            schema.SCORES: _floats(scores.ravel()),
        } | {schema.feature_key(layer): _bytes(data) for layer, data in encoded.items()}
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        stored = {
            layer: np.frombuffer(data, "<f2").reshape(outputs[layer].shape) for layer, data in encoded.items()
        }
        # A protocol buffer's map has no order of its own; shards must not depend on it.
        return example.SerializePartialToString(deterministic=True), stored, scores.size

    def _bury(self, reference: ImageReference, reason: str) -> None:
        self._dead_letters.append({"id": reference.id, "location": reference.location, "reason": reason})


def publish_text(path: str, text: str) -> None:
    """Writes a whole text file to any file system, or nothing."""
    temporary = _temporary(path)
    with FileSystems.create(temporary, compression_type="uncompressed") as file:
        file.write(text.encode())
    _rename(temporary, path)


def _publish(local: str, path: str) -> None:
    temporary = _temporary(path)
    with (
        open(local, "rb") as source,
        FileSystems.create(temporary, compression_type="uncompressed") as target,
    ):
        shutil.copyfileobj(source, target, length=1 << 20)
    _rename(temporary, path)


def _temporary(path: str) -> str:
    directory, name = posixpath.split(path)
    return posixpath.join(directory, f".{name}-{uuid.uuid4().hex}")


def _rename(temporary: str, path: str) -> None:
    try:
        if FileSystems.exists(path):  # Not every file system replaces.
            FileSystems.delete([path])
        FileSystems.rename([temporary], [path])
    finally:
        if FileSystems.exists(temporary):
            FileSystems.delete([temporary])


def _digest(settings: ShardSettings, references: Iterable[ImageReference]) -> str:
    text = "\n".join([settings.configuration, *(repr(reference) for reference in references)])
    return hashlib.sha256(text.encode()).hexdigest()


def _jpeg(crop: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _floats(values: Any) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))
