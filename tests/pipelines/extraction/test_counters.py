import collections

import apache_beam as beam
import pytest
from apache_beam.metrics.cells import DistributionData, DistributionResult
from apache_beam.metrics.execution import MetricResult
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.extraction import counters
from pipelines.feature_set.shard_report import ShardReport
from tf_explainer.features.schema import Shard


def report(index, images, *kinds):
    letters = tuple({"id": kind, "location": "", "kind": kind, "reason": ""} for kind in kinds)
    shard = Shard(file=f"{index}", records=2 * images, bytes=500_000, sha256="")
    return ShardReport(
        index=index, digest="", shard=shard, labels={0: images}, num_scores=1, sums={}, dead_letters=letters
    )


class Computed(beam.DoFn):
    def process(self, shard):
        counters.count_batch(3, 0.02)
        counters.count_batch(1, 0.0405)
        counters.count_computed_shard(shard)
        counters.count_shard(shard)


class Found(beam.DoFn):
    def process(self, shard):
        counters.count_shard(shard)


@pytest.fixture(name="result", scope="module")
def _result():
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
    computed = [report(0, 4, "empty", "too_large", "performer_fails"), report(1, 5, "empty")]
    _ = pipeline | "A" >> beam.Create(computed) | beam.ParDo(Computed())
    _ = pipeline | "B" >> beam.Create([report(2, 7, "beyond_float16")]) | beam.ParDo(Found())
    result = pipeline.run()
    result.wait_until_finish()
    return result


def test_everything_is_counted(result):
    assert counters.totals(result) == {
        "read": 13,
        "decoded": 10,
        "computed": 8,
        "written": 32,
        "bytes": 1_500_000,
        "dead_letters": 5,
        "failed_empty": 2,
        "failed_too_large": 1,
        "failed_performer_fails": 1,
        "failed_beyond_float16": 1,
    }


def test_the_summary_is_for_a_person(result):
    first, second = counters.summary(result).splitlines()
    assert first == (
        "Now: 13 read, 10 decoded, 8 computed. In the set: 32 records, 1.5 MB; "
        "dead letters: 1 beyond float16, 2 empty, 1 performer fails, 1 too large."
    )
    assert second == "Performer: 4 batches, 30 ms on average (20 to 40)."


def test_a_run_without_batches_has_no_latency():
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
    _ = pipeline | beam.Create([report(0, 1)]) | beam.ParDo(Found())
    result = pipeline.run()
    result.wait_until_finish()
    assert counters.summary(result) == "Now: 0 read, 0 decoded, 0 computed. In the set: 2 records, 0.5 MB."


def test_a_counter_may_have_no_result(result, monkeypatch):
    monkeypatch.setattr(MetricResult, "result", None)
    assert set(counters.totals(result).values()) == {0}


def test_a_distribution_of_nothing_is_not_told(result, monkeypatch):
    # So does a runner that runs a bundle again whose shards are all there.
    nothing = DistributionResult(DistributionData(0, 0, None, None))
    monkeypatch.setattr(MetricResult, "result", property(lambda _: nothing))
    monkeypatch.setattr(counters, "totals", lambda _: collections.Counter())
    assert counters.summary(result).count("\n") == 0
