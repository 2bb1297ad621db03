"""Beam transforms from a source of images to a feature set.

```
source -> references -> (shard, reference) -> shards -> reports -> summaries -> manifest
```
Only references travel between workers; pixels and features never do. The unit of work is a shard
(`shard_writer`). In the end, one worker holds a summary of each shard, about as much as the manifest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.utils import shared

from pipelines.extraction import counters
from pipelines.extraction.resource_hints import resource_hints
from pipelines.extraction.shard_count import shard_count
from pipelines.extraction.shard_writer import ShardWriter
from pipelines.extraction.staged_performer import LoadedPerformer
from pipelines.feature_set import feature_set
from pipelines.feature_set.shard_report import ShardReport, ShardSettings, ShardSummary, finished_report
from tf_explainer.config import DatasetConfig, ExtractionConfig, PerformerConfig
from tf_explainer.datasets.annotations import annotation_file
from tf_explainer.datasets.source import ImageSource, SequentialSource
from tf_explainer.features import schema
from tf_explainer.images.record import ImageReference
from tf_explainer.images.unit_grid import ReceptiveField
from tf_explainer.performer.performer import Performer


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureExtraction:
    """Everything that a pipeline needs, in plain values that can be sent to any worker.

    Attributes:
        source: the images.
        shards: the settings of all shards.
        performer: `performer.performer` is a `.keras` file that the workers can read.
        receptive_field: of the target layer.
        configuration: what the features depend on; see `feature_set.claim`.
        max_dead_letters: share of dead letters above which the set is refused.
        backbone_maps: file of maps that need not be computed; workers that cannot read it compute them.
        resource_hints: what the workers of the extraction step must have, by Beam's names.
    """

    source: ImageSource
    shards: ShardSettings
    performer: PerformerConfig
    receptive_field: ReceptiveField
    configuration: dict[str, Any]
    max_dead_letters: float
    backbone_maps: str = ""
    resource_hints: dict[str, str] = dataclasses.field(default_factory=dict)


class ExtractFeatures(beam.PTransform):
    """Extracts features, from a pipeline's root to one bool: whether the set is complete now."""

    def __init__(self, extraction: FeatureExtraction) -> None:
        super().__init__()
        self._extraction = extraction

    def expand(self, root: Any) -> Any:
        """Builds the graph."""
        extraction, num_shards = self._extraction, self._extraction.shards.num_shards
        references = (
            root
            | "Source" >> beam.Create([extraction.source])
            | "Parts" >> beam.FlatMap(_parts)
            | "SpreadParts" >> beam.Reshuffle()
            | "References" >> beam.FlatMap(lambda source: source.references())
        )
        inputs = references | "CountInputs" >> beam.combiners.Count.Globally()
        by_shard = references | "ChooseShard" >> beam.Map(
            lambda reference, source=extraction.source: (source.shard_of(reference, num_shards), reference)
        )
        # Shards without images are written, too, which shows that nothing is missing. The job's description,
        # whose size is limited, contains only their number.
        all_shards = (
            root
            | "NumShards" >> beam.Create([num_shards])
            | "AllShards" >> beam.FlatMap(lambda number: ((index, None) for index in range(number)))
        )
        extract = beam.ParDo(ExtractShard(extraction), beam.pvalue.AsSingleton(inputs))
        reports = (
            (by_shard, all_shards)
            | "Flatten" >> beam.Flatten()
            | "GroupByShard" >> beam.GroupByKey()
            | "SpreadShards" >> beam.Reshuffle()
            | "ExtractShard" >> extract.with_resource_hints(**extraction.resource_hints)
        )
        return (
            reports
            | "Summaries" >> beam.Map(lambda report: report.summary())
            | "AllSummaries" >> beam.combiners.ToList()
            | "Finish" >> beam.Map(_finish, beam.pvalue.AsSingleton(inputs), extraction)
        )


def _parts(source: ImageSource) -> Sequence[ImageSource]:
    """Divides a source so that several workers list it."""
    return source.parts() if isinstance(source, SequentialSource) else [source]


class ExtractShard(beam.DoFn):
    """Computes a shard's features, unless they already exist, and yields its report."""

    def __init__(self, extraction: FeatureExtraction) -> None:
        super().__init__()
        self._extraction = extraction
        self._handle = shared.Shared()

    def setup(self) -> None:
        """Loads the performer, once for each process."""
        config, fingerprint = self._extraction.performer, self._extraction.configuration["performer"]
        maps = self._extraction.backbone_maps
        self._performer = self._handle.acquire(
            lambda: LoadedPerformer(config, fingerprint, maps), tag=fingerprint
        )
        self._dead_letters: dict[int, int] = {}

    def process(
        self, element: tuple[int, Iterable[ImageReference | None]], inputs: int
    ) -> Iterator[ShardReport]:
        """Takes a shard's number with its references in any order, and the number of all references."""
        index, grouped = element
        references = sorted(
            (reference for reference in grouped if reference is not None), key=lambda reference: reference.id
        )
        report = finished_report(self._extraction.shards, index, references)
        if report is None:
            report = self._write(index, references)
        counters.count_shard(report)
        self._stop_if_hopeless(report, inputs)
        yield report

    def _write(self, index: int, references: list[ImageReference]) -> ShardReport:
        writer = ShardWriter(
            self._extraction.shards, self._extraction.source, self._performer.predict, counters.count_batch
        )
        report = writer.write(index, references)
        counters.count_computed_shard(report)
        return report

    def _stop_if_hopeless(self, report: ShardReport, inputs: int) -> None:
        # Counted by shard, as a runner may pass a shard to the same worker again.
        if not report.dead_letters:
            return
        self._dead_letters[report.index] = len(report.dead_letters)
        number, allowed = sum(self._dead_letters.values()), self._extraction.max_dead_letters
        feature_set.stop_if_hopeless(self._extraction.shards.features_dir, number, inputs, allowed)


def _finish(shards: list[ShardSummary], inputs: int, extraction: FeatureExtraction) -> bool:
    return feature_set.finish(
        extraction.shards.features_dir,
        shards,
        inputs,
        receptive_field=extraction.receptive_field,
        configuration=extraction.configuration,
        max_dead_letters=extraction.max_dead_letters,
    )


def plan(
    source: ImageSource,
    dataset: DatasetConfig,
    performer: Performer,
    extraction: ExtractionConfig,
    features_dir: str,
) -> FeatureExtraction:
    """Returns everything that the pipeline needs.

    Args:
        source: the images.
        dataset: the settings with which the source was opened.
        performer: the network; `staged_performer` replaces its file by one that the workers can read.
        extraction: how features are computed and stored.
        features_dir: directory of the features.
    """
    config = performer.config
    layers = (config.target_layer, *config.distilled_layers)
    # Folds divide the images only when features are read; the features do not depend on them.
    images = {name: value for name, value in annotation_file.identity(dataset).items() if "fold" not in name}
    stored = {
        name: getattr(extraction, name)
        for name in ("batch_size", "encoding", "jpeg_quality", "views", "views_seed")
    } | {"num_shards": shard_count(extraction.num_shards, source, features_dir)}
    configuration: dict[str, Any] = {
        "format_version": schema.FORMAT_VERSION,
        "dataset": images,
        "classes": list(source.classes),
        "negative_class": source.negative_class,
        "landmarks": list(source.landmark_names),
        "performer": performer.fingerprint,
        "layers": list(layers),
        "image_size": config.image_size,
        "extraction": stored,
    }
    if source.all_classes != source.classes:
        configuration["all_classes"] = list(source.all_classes)
    text = json.dumps(configuration, sort_keys=True)
    return FeatureExtraction(
        source=source,
        shards=ShardSettings(
            features_dir=features_dir,
            layers=layers,
            landmarks=source.landmark_names,
            image_size=config.image_size,
            configuration=text,
            **stored,
        ),
        performer=config,
        receptive_field=performer.receptive_field(),
        configuration=json.loads(text),
        max_dead_letters=extraction.max_dead_letters,
        resource_hints=resource_hints(extraction.accelerator, extraction.worker_min_ram),
    )
