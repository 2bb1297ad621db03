"""Runs an extraction, from its settings to a complete set of features, for the binaries of this package."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from pipelines.dataflow import options as dataflow_options
from pipelines.dataflow import pipeline as beam_pipeline
from pipelines.extraction import (
    cost_estimate,
    counters,
    feature_extraction,
    progress,
    staged_performer,
    throughput_sample,
)
from pipelines.extraction.feature_extraction import ExtractFeatures, FeatureExtraction
from pipelines.feature_set import atomic_files, dead_letters, feature_set
from tf_explainer.config import DatasetConfig, DryRunConfig, ExtractionConfig, PerformerConfig, WorkDir
from tf_explainer.datasets import census
from tf_explainer.datasets.labelled_crops import read_crops
from tf_explainer.datasets.registry import open_source
from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest
from tf_explainer.performer import signed_maps
from tf_explainer.performer.activation_statistics import activation_statistics
from tf_explainer.performer.performer import Performer
from tf_explainer.scores import are_logits

# Number of images on which the negative share of a map is measured.
_SAMPLED = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionJob:
    """The settings of an extraction.

    Attributes:
        workdir: directory of the performer and of the features.
        dataset: the images.
        performer: the network and its layers.
        extraction: how features are computed and stored.
        beam_options: of Apache Beam, from `beam_options.check`.
    """

    workdir: WorkDir
    dataset: DatasetConfig
    performer: PerformerConfig
    extraction: ExtractionConfig
    beam_options: Sequence[str]


def run(job: ExtractionJob, tell: Callable[[str], None]) -> bool:
    """Extracts the features, unless they already exist.

    Args:
        job: the settings.
        tell: called with each line for the user.

    Returns:
        Whether the features exist now; False if the job was only described for a launcher.

    Raises:
        UserError: a setting does not fit, or the features are incomplete in the end.
    """
    pipeline = open_pipeline(job)
    features_dir = job.workdir.features
    extraction, performer = prepare(job)
    for notice in _notices(job, performer, extraction):
        tell(notice)
    staged_performer.save_if_new(performer, job.workdir)
    del performer  # Frees memory for the workers.
    feature_set.claim(features_dir, extraction.configuration, overwrite=job.extraction.overwrite)
    if job.extraction.retry_dead_letters:
        tell(f"Retrying {dead_letters.forget(features_dir)} dead letters")
    counted = census.of_folder(extraction.source)
    for line in counted.lines() if counted else ():
        tell(line)
    manifest = feature_set.find_whole(features_dir)
    if manifest and counted and counted.images != manifest.inputs:
        tell(
            f"{features_dir} was made from {manifest.inputs} images: shards whose images have changed are "
            "recomputed"
        )
        atomic_files.remove(features_dir, schema.MANIFEST)
    elif manifest:
        tell(
            f"{features_dir} is complete: {_balance(manifest)}. "
            f"(If you changed the content of image files, remove its {schema.MANIFEST} and run this again.)"
        )
        return True
    staged = staged_performer.stage(extraction.performer, job.workdir)
    start = time.perf_counter()
    with progress.show(extraction.shards, extraction.source):
        extraction = dataclasses.replace(
            extraction, performer=staged, backbone_maps=job.workdir.backbone_maps
        )
        _ = pipeline | "ExtractFeatures" >> ExtractFeatures(extraction)
        result = beam_pipeline.run_to_end(pipeline)
    if dataflow_options.is_template(job.beam_options):
        tell("The job is described; the launcher of the template submits it.")
        return False
    _tell_result(features_dir, result, time.perf_counter() - start, tell)
    return True


def prepare(job: ExtractionJob) -> tuple[FeatureExtraction, Performer]:
    """Opens the data set and loads the performer, without writing anything.

    Raises:
        UserError: one of them is missing, or a setting does not fit it.
    """
    source = open_source(job.dataset)
    performer = staged_performer.load(job.performer, job.workdir)
    extraction = feature_extraction.plan(source, job.dataset, performer, job.extraction, job.workdir.features)
    return extraction, performer


def describe_effort(job: ExtractionJob, prices: DryRunConfig) -> list[str]:
    """Measures a sample, and returns lines that estimate size, time and cost of the extraction.

    Raises:
        UserError: a setting does not fit.
    """
    fleet = cost_estimate.dataflow_fleet(job.beam_options)
    extraction, performer = prepare(job)
    predict = performer.feature_model().predict_on_batch
    sample = throughput_sample.measure(extraction, predict, prices.dry_run_images)
    lines = _notices(job, performer, extraction)
    lines += cost_estimate.describe(sample, extraction.shards.features_dir)
    if fleet:
        lines += cost_estimate.describe_cost(sample, fleet, extraction.shards.num_shards, prices)
    return lines


def build_for_dataflow(job: ExtractionJob) -> tuple[PipelineResult, FeatureExtraction]:
    """Builds the Dataflow job as it would be submitted, without submitting or writing anything.

    Returns:
        The result of Beam's dry run, whose `job` is the description, and what it would extract.

    Raises:
        UserError: a setting does not fit.
    """
    # `--dry_run` is Beam's own option here.
    pipeline = open_pipeline(dataclasses.replace(job, beam_options=[*job.beam_options, "--dry_run=True"]))
    extraction, _ = prepare(job)
    staged = staged_performer.staged_config(extraction.performer, job.workdir)
    _ = pipeline | "ExtractFeatures" >> ExtractFeatures(dataclasses.replace(extraction, performer=staged))
    return pipeline.run(), extraction


def open_pipeline(job: ExtractionJob) -> beam.Pipeline:
    """Opens an empty pipeline with the job's options.

    Raises:
        UserError: Beam or Dataflow refuses the options.
    """
    # The creatures are drawn, not read.
    images = None if job.dataset.dataset == "creatures" else job.dataset.data_dir or ""
    places = {"--data_dir": images, "--features_dir": job.workdir.features}
    return beam_pipeline.open_pipeline(job.beam_options, places, accelerator=bool(job.extraction.accelerator))


def _notices(job: ExtractionJob, performer: Performer, extraction: FeatureExtraction) -> list[str]:
    """Returns lines on what rules decided instead of the user: layers, outputs, negative values."""
    target, distilled = performer.config.target_layer, performer.config.distilled_layers
    decided = [] if job.performer.target_layer else [f"explained layer {target}"]
    if not job.performer.distilled_layers:
        decided.append(f"reconstructed layers {', '.join(distilled)}")
    lines = []
    if decided:
        lines.append(
            f"By the rule in docs/performers.md: {'; '.join(decided)}. "
            "python -m tf_explainer.performers lists all layers"
        )
    if job.performer.outputs == "auto" and are_logits(performer.output_kind):
        lines.append(
            f"The performer ends without an activation: its outputs are taken as {performer.output_kind} "
            "(--outputs)"
        )
    if performer.treatment != "whole":
        share = _negative_energy(job, performer, extraction)
        lines.append(signed_maps.notice(target, performer.treatment, share))
    return lines


def _negative_energy(job: ExtractionJob, performer: Performer, extraction: FeatureExtraction) -> float | None:
    """Measures the negative share of the target layer's energy on a few images; None if none can be read."""
    first = list(itertools.islice(extraction.source.references(), _SAMPLED))
    crops = read_crops(extraction.source, first, performer.config.image_size, job.dataset)
    images = [crop.image for crop in crops]
    if not images:
        return None
    target = performer.config.target_layer
    statistics = activation_statistics(performer.model, [target], images)
    return statistics[target].negative_energy


def _tell_result(
    features_dir: str, result: PipelineResult, seconds: float, tell: Callable[[str], None]
) -> None:
    manifest = feature_set.find_whole(features_dir)
    if manifest is None:
        reason = feature_set.refusal(features_dir) or "the pipeline was stopped: run this again"
        raise UserError(f"{features_dir} is incomplete: {reason}")
    totals = counters.totals(result)
    computed = totals["computed"]
    rate = f"{computed} computed now in {seconds:.0f} s, {computed / seconds:.1f} images/s"
    tell(f"{_balance(manifest)}; {rate}")
    tell(counters.summary(result))
    if "taken_over" in totals:
        tell(f"{totals['taken_over']:,} of {computed:,} maps taken over from train_performer.")
    tell(f"The features are in {features_dir}")


def _balance(manifest: Manifest) -> str:
    dead = f"{manifest.dead_letters} dead letters"
    if manifest.dead_letters:
        dead += f" (see {schema.DEAD_LETTERS})"
    views = f" x {1 + len(manifest.views)}" if manifest.views else ""
    return f"{manifest.inputs} images in = {manifest.outputs}{views} records + {dead}"
