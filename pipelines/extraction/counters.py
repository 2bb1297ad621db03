"""The counters of an extraction, and the summary that it prints at the end.

| counter | counts |
| --- | --- |
| `read`, `decoded` | images that this run read, and those that it could decode |
| `computed` | views of images that this run passed through the performer |
| `taken_over` | views among these whose map `train_performer` had stored; absent if there are no maps |
| `written`, `bytes` | records of all shards and bytes of their files, including shards of earlier runs |
| `dead_letters`, `failed_KIND` | images that are in no shard: in all, and by the kind of the reason |
| `batch_milliseconds` | distribution: the performer's time for a batch |
"""

from __future__ import annotations

import collections
from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter

from pipelines.dataflow import pipeline as beam_pipeline
from pipelines.extraction.shard_writer import BEYOND_FLOAT16, PERFORMER_FAILS
from pipelines.feature_set.shard_report import ShardReport

NAMESPACE = "extraction"
_FAILED = "failed_"


def count_batch(images: int, seconds: float) -> None:
    """Counts a batch that has passed through the performer."""
    Metrics.distribution(NAMESPACE, "batch_milliseconds").update(round(1000 * seconds))
    _count("computed", images)


def count_taken_over(maps: int) -> None:
    """Counts maps of a batch that did not have to be computed."""
    _count("taken_over", maps)


def count_computed_shard(report: ShardReport) -> None:
    """Counts what was read for a shard that this run computed."""
    later = sum(letter["kind"] in (PERFORMER_FAILS, BEYOND_FLOAT16) for letter in report.dead_letters)
    _count("read", report.images + len(report.dead_letters))
    _count("decoded", report.images + later)


def count_shard(report: ShardReport) -> None:
    """Counts the content of a shard, whether from this run or an earlier one."""
    _count("written", report.shard.records)
    _count("bytes", report.shard.bytes)
    _count("dead_letters", len(report.dead_letters))
    for kind, number in collections.Counter(letter["kind"] for letter in report.dead_letters).items():
        _count(f"{_FAILED}{kind}", number)


def totals(result: Any) -> collections.Counter[str]:
    """Returns a pipeline result's counters by name."""
    return beam_pipeline.totals(result, NAMESPACE)


def summary(result: Any) -> str:
    """Returns a line or two for the user: a run's counters and the latency of its batches."""
    counts = totals(result)
    failed = [
        f"{number} {name.removeprefix(_FAILED).replace('_', ' ')}"
        for name, number in sorted(counts.items())
        if name.startswith(_FAILED)
    ]
    lines = [
        f"Now: {counts['read']} read, {counts['decoded']} decoded, {counts['computed']} computed. "
        f"In the set: {counts['written']} records, {counts['bytes'] / 1e6:.1f} MB"
        + (f"; dead letters: {', '.join(failed)}." if failed else ".")
    ]
    query = MetricsFilter().with_namespace(NAMESPACE).with_name("batch_milliseconds")
    for distribution in result.metrics().query(query)["distributions"]:
        batches = distribution.result
        if batches.count:  # A runner may report a distribution without values.
            lines.append(
                f"Performer: {batches.count} batches, {batches.mean:.0f} ms on average "
                f"({batches.min} to {batches.max})."
            )
    return "\n".join(lines)


def _count(name: str, number: int) -> None:
    Metrics.counter(NAMESPACE, name).inc(number)
