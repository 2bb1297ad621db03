"""Compares a shard's file with its sidecar and the manifest, record by record."""

from __future__ import annotations

import collections
import hashlib
import posixpath
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.feature_set import atomic_files
from pipelines.feature_set.layer_sums import LayerSums
from pipelines.feature_set.shard_report import ShardReport
from tf_explainer.features import schema, stored_records
from tf_explainer.features.layer_spec import LayerSpec
from tf_explainer.features.schema import Manifest
from tf_explainer.images.folds import fold_position

# If all records are wrong, the first ones are enough.
_RECORDS_NAMED = 5


def file_problems(features_dir: str, report: ShardReport) -> Iterator[str]:
    """Yields what is wrong with a shard's file, without reading its records."""
    shard = report.shard
    length = atomic_files.sizes(features_dir, shard.file).get(shard.file)
    if length is None:
        yield "is missing"
    elif length != shard.bytes:
        yield f"has {length} bytes, its sidecar says {shard.bytes}"
    elif _checksum(posixpath.join(features_dir, shard.file)) != shard.sha256:
        yield "has a different checksum than its sidecar says: its content was changed"


def _checksum(path: str) -> str:
    with tempfile.NamedTemporaryFile() as local:
        atomic_files.fetch_file(path, local.name)
        return hashlib.file_digest(local, "sha256").hexdigest()


class RecordVerification:
    """Checks the records of one shard after the other.

    Args:
        features_dir: of the set.
        manifest: of the set.
        shard_of: the shard's number by image id for the entire data set; None if unknown.
    """

    def __init__(self, features_dir: str, manifest: Manifest, shard_of: Mapping[str, int] | None) -> None:
        self._features_dir, self._manifest, self._shard_of = features_dir, manifest, shard_of
        self._views = schema.ORIGINAL, *manifest.views
        self._seen: set[str] = set()
        # Traced once, not for every shard.
        self._decoded = tf.function(
            lambda record: stored_records.decoded(record, manifest, with_crops=True), autograph=False
        )

    def problems(self, report: ShardReport) -> Iterator[str]:
        """Yields what is wrong with the records of a shard whose file has no `file_problems`."""
        sums = {layer.name: LayerSums() for layer in self._layers}
        labels: collections.Counter[int] = collections.Counter()
        records = named = 0
        for record in self._records(report.shard.file):
            if isinstance(record, str):
                yield f"record {records}: {record}"
                return
            wrong = list(self._record_problems(record, report.index, self._views[records % len(self._views)]))
            named += bool(wrong)
            if named <= _RECORDS_NAMED:
                yield from (f"record {records} ({_text(record[schema.ID])}) {problem}" for problem in wrong)
            records += 1
            if _text(record[schema.VIEW]) == schema.ORIGINAL:
                labels[int(record[schema.LABEL])] += 1
                for layer, layer_sums in sums.items():
                    layer_sums.add(record[layer])
        if named > _RECORDS_NAMED:
            yield f"{named} records are wrong in all"
        if records != report.shard.records:
            yield f"holds {records} records, its sidecar says {report.shard.records}"
        elif dict(labels) != report.labels:
            yield f"has labels {dict(sorted(labels.items()))}, its sidecar says {report.labels}"
        elif sums != report.sums:
            yield "has features with different sums than its sidecar says"

    @property
    def _layers(self) -> tuple[LayerSpec, ...]:
        return self._manifest.target, *self._manifest.distilled

    def _records(self, name: str) -> Iterator[dict[str, Any] | str]:
        """Yields decoded records; if one cannot be decoded, yields the reason and ends."""
        with tempfile.TemporaryDirectory() as directory:
            local = posixpath.join(directory, name)
            atomic_files.fetch_file(posixpath.join(self._features_dir, name), local)
            parsed = stored_records.parsed(
                self._manifest, [local], folds=1, held_out_fold=0, split="all", views=self._views
            )
            try:
                yield from parsed.map(self._decoded).as_numpy_iterator()
            except tf.errors.OpError as error:
                yield f"cannot be read: {error.message.splitlines()[0]}"

    def _record_problems(self, record: dict[str, Any], shard: int, view: str) -> Iterator[str]:
        """Yields what is wrong with a record; `parsed` and `decoded` have checked types and shapes."""
        record_id, label = _text(record[schema.ID]), int(record[schema.LABEL])
        image_id = record_id if view == schema.ORIGINAL else record_id.removesuffix(f"#{view}")
        if record_id in self._seen:
            yield "appears twice"
        self._seen.add(record_id)
        if _text(record[schema.VIEW]) != view:
            yield f"is the view {_text(record[schema.VIEW])!r} instead of {view!r}"
        if self._shard_of is not None and self._shard_of.get(image_id) != shard:
            belongs = self._shard_of.get(image_id, "none: the data set has no such image")
            yield f"belongs to shard {belongs}"
        if not 0 <= label < len(self._manifest.classes):
            yield f"has label {label}, there are {len(self._manifest.classes)} classes"
        if record[schema.FOLD_POSITION] != np.float32(fold_position(image_id)):
            yield "has the fold position of another image"
        for name in (schema.SCORES, schema.AFFINE, *(layer.name for layer in self._layers)):
            if not np.isfinite(record[name]).all():
                yield f"has {name} that are not finite"
        absent = np.isnan(record[schema.LANDMARKS])
        if (absent.any(axis=-1) != absent.all(axis=-1)).any() or np.isinf(record[schema.LANDMARKS]).any():
            yield "has landmarks that are not finite"


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
