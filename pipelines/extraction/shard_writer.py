"""Computes one output shard: the unit of work, of resumption and of failure.

A shard's images, their order and its batches depend only on the data set and the settings. So its bytes are
the same with every runner.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import posixpath
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from pipelines.extraction.example_encoding import encode_example
from pipelines.extraction.read_ahead import parts_ahead
from pipelines.feature_set import atomic_files
from pipelines.feature_set.layer_sums import LayerSums
from pipelines.feature_set.shard_report import ShardReport, ShardSettings, digest, sidecar_name
from tf_explainer.datasets.source import ImageSource, ReadResult
from tf_explainer.features import feature_coding, schema
from tf_explainer.features.views import Crop, crop_view
from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError

Outputs = dict[str, np.ndarray]
Predict = Callable[[np.ndarray], Outputs]

PERFORMER_FAILS = "performer_fails"
BEYOND_FLOAT16 = "beyond_float16"

# Views that a thread prepares at once: few, so that the performer starts soon, but enough to occupy a thread.
_VIEWS_READ_AT_ONCE = 64

# Of GZIP: level 6 makes files of VGG-16's features a tenth smaller, but takes 3.2 ms an image instead of 1.0.
_COMPRESSION_LEVEL = 1


class ShardWriter:
    """Computes and writes one shard.

    Args:
        settings: of the set.
        source: the data set.
        predict: the performer: uint8 crops `[B, S, S, 3]` to each layer's features and the scores, by name.
        on_batch: called with the number of views and the seconds of each batch, for counters.
    """

    def __init__(
        self,
        settings: ShardSettings,
        source: ImageSource,
        predict: Predict,
        on_batch: Callable[[int, float], None],
    ) -> None:
        self._settings, self._source, self._predict, self._on_batch = settings, source, predict, on_batch
        self._dead_letters: list[dict[str, str]] = []
        self._sums = {layer: LayerSums() for layer in settings.layers}
        self._labels: collections.Counter[int] = collections.Counter()
        self._num_scores = 0
        self._views = (schema.ORIGINAL, *settings.views)

    def write(self, index: int, references: Sequence[ImageReference]) -> ShardReport:
        """Writes a shard, then its sidecar, each under a temporary name that is then renamed.

        Args:
            index: of the shard.
            references: of its images, sorted by id.

        Returns:
            The content of the sidecar.
        """
        settings = self._settings
        name = schema.shard_name(index, settings.num_shards)
        with tempfile.TemporaryDirectory() as directory:
            local = f"{directory}/{name}"
            compression = feature_coding.file_compression(settings.encoding)
            options = tf.io.TFRecordOptions(compression, compression_level=_COMPRESSION_LEVEL)
            with tf.io.TFRecordWriter(local, options) as writer:
                for record in self._records(references):
                    writer.write(record)
            with open(local, "rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
                length = file.tell()
            atomic_files.publish_file(local, posixpath.join(settings.features_dir, name))
        report = ShardReport(
            index=index,
            digest=digest(settings, references),
            shard=schema.Shard(
                file=name, records=len(self._views) * self._labels.total(), bytes=length, sha256=checksum
            ),
            labels=dict(sorted(self._labels.items())),
            num_scores=self._num_scores,
            sums=self._sums,
            dead_letters=tuple(sorted(self._dead_letters, key=lambda letter: letter["id"])),
        )
        sidecar = posixpath.join(settings.features_dir, sidecar_name(index, settings.num_shards))
        atomic_files.publish_text(sidecar, report.to_json())
        return report

    def _records(self, references: Sequence[ImageReference]) -> Iterator[bytes]:
        """Yields the records of one image after the other: either all its views or none."""
        predicted = self._predicted(references)
        for _, views in itertools.groupby(predicted, lambda result: result[0].reference.id):
            yield from self._image_records(list(views))

    def _predicted(
        self, references: Sequence[ImageReference]
    ) -> Iterator[tuple[Crop, Outputs | UnreadableImageError]]:
        size = max(1, _VIEWS_READ_AT_ONCE // len(self._views))
        crops = parts_ahead(self._source, references, size, self._read)
        while batch := list(itertools.islice(crops, self._settings.batch_size)):
            yield from self._outputs(batch)

    def _read(self, results: Iterable[ReadResult]) -> list[Crop]:
        crops = []
        for reference, result in results:
            try:
                crops += self._crops(result)
            except UnreadableImageError as error:
                self._bury(reference, error)
        return crops

    def _crops(self, result: ImageRecord | UnreadableImageError) -> list[Crop]:
        if isinstance(result, UnreadableImageError):
            raise result
        settings = self._settings
        return [
            crop_view(result, view, settings.image_size, settings.landmarks, settings.views_seed)
            for view in self._views
        ]

    def _outputs(self, batch: Sequence[Crop]) -> Iterator[tuple[Crop, Outputs | UnreadableImageError]]:
        """Runs the performer on a batch; if that fails, on each of its images."""
        start = time.perf_counter()
        try:
            outputs = self._predict(np.stack([crop.pixels for crop in batch]))
        except Exception as error:  # The performer may raise anything; the other images of the batch go on.
            if len(batch) > 1:
                for crop in batch:
                    yield from self._outputs([crop])
            else:
                reason = f"the performer fails on it: {type(error).__name__}: {error}"
                yield batch[0], UnreadableImageError(reason, PERFORMER_FAILS)
            return
        self._on_batch(len(batch), time.perf_counter() - start)
        for row, crop in enumerate(batch):
            yield crop, {name: values[row] for name, values in outputs.items()}

    def _image_records(self, views: Sequence[tuple[Crop, Outputs | UnreadableImageError]]) -> list[bytes]:
        """Encodes one image's views, the original first; if one fails, the image becomes a dead letter."""
        reference = views[0][0].reference
        try:
            stored = [self._rounded(outputs) for _, outputs in views]
        except UnreadableImageError as error:
            self._bury(reference, error)
            return []
        original = stored[0]
        for layer in self._settings.layers:
            self._sums[layer].add(original[layer])
        self._labels[reference.label] += 1
        self._num_scores = original[schema.SCORES].size
        return [self._example(crop, outputs) for (crop, _), outputs in zip(views, stored, strict=True)]

    def _rounded(self, outputs: Outputs | UnreadableImageError) -> Outputs:
        if isinstance(outputs, UnreadableImageError):
            raise outputs
        try:
            half = {layer: feature_coding.to_float16(outputs[layer]) for layer in self._settings.layers}
        except OverflowError as error:
            raise UnreadableImageError(f"its {error}", BEYOND_FLOAT16) from error
        return half | {schema.SCORES: outputs[schema.SCORES]}

    def _example(self, crop: Crop, outputs: Outputs) -> bytes:
        settings = self._settings
        encoded = {
            layer: feature_coding.encode(outputs[layer], settings.encoding) for layer in settings.layers
        }
        return encode_example(crop, encoded, outputs[schema.SCORES], settings.jpeg_quality)

    def _bury(self, reference: ImageReference, error: UnreadableImageError) -> None:
        self._dead_letters.append(
            {"id": reference.id, "location": reference.location, "kind": error.kind, "reason": str(error)}
        )
