r"""Computes and stores the performer's features of every image (step 2).

python -m pipelines.extract_features --flagfile=configs/vgg.flags

Every option of Apache Beam may follow, e.g. `--runner=DataflowRunner --project=... --region=...`, or
`--direct_running_mode=multi_processing --direct_num_workers=2`. Without `--runner` it runs in this process.
`--dry_run` extracts nothing, and prints what the extraction is going to take.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_explainer import flags
from tf_explainer.errors import UserError
from tf_explainer.features import schema
from tf_explainer.features.schema import Manifest

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.runners.runner import PipelineResult

    from pipelines.extraction.feature_extraction import FeatureExtraction
    from tf_explainer.datasets.source import ImageSource
    from tf_explainer.performer.performer import Performer

# Images on which it is measured how much of a map is negative.
_SAMPLED = 8


def main(arguments: Sequence[str]) -> None:
    """Extracts, and prints the balance of images and what comes next."""
    if extract(arguments):
        print(flags.next_command("tf_explainer.train"))
    elif flags.dry_run().dry_run:
        print(flags.next_command("pipelines.extract_features", with_others=True))


def extract(arguments: Sequence[str]) -> bool:
    """Extracts, and prints the balance of images.

    Args:
        arguments: options of Beam.

    Returns:
        Whether the features are there now.

    Raises:
        UserError: they are not whole in the end.
    """
    from pipelines.dataflow import options as dataflow_options
    from pipelines.extraction import counters, progress, staged_performer
    from pipelines.feature_set import dead_letters, feature_set

    options = checked_options(arguments)
    if flags.dry_run().dry_run:
        print("\n".join(_estimate(options)))
        return False
    pipeline = open_pipeline(options)
    workdir = flags.workdir()
    extraction = plan()
    settings = flags.extraction()
    feature_set.claim(workdir.features, extraction.configuration, overwrite=settings.overwrite)
    if settings.retry_dead_letters:
        print(f"{dead_letters.forget(workdir.features)} dead letters are tried again")
    if manifest := feature_set.whole(workdir.features):
        print(
            f"{workdir.features} is whole: {_balance(manifest)}. "
            f"(After a change of the images themselves, remove its {schema.MANIFEST} and run this again.)"
        )
        return True
    staged = staged_performer.stage(extraction.performer, workdir)
    start = time.perf_counter()
    with progress.shown(extraction.shards, extraction.source):
        result = _run(pipeline, dataclasses.replace(extraction, performer=staged))
    if dataflow_options.is_template(options):
        print("The job is described; the launcher of the template submits it.")
        return False
    seconds = time.perf_counter() - start
    manifest = feature_set.whole(workdir.features)
    if manifest is None:
        reason = feature_set.refusal(workdir.features) or "the pipeline was stopped: run this again"
        raise UserError(f"{workdir.features} is not whole: {reason}")
    computed = counters.totals(result).get("computed", 0)
    print(
        f"{_balance(manifest)}; {computed} computed now in {seconds:.0f} s, {computed / seconds:.1f} images/s"
    )
    print(counters.summary(result))
    print(f"The features are in {workdir.features}")
    return True


def checked_options(arguments: Sequence[str]) -> list[str]:
    """Checks what is left of the command line, and keeps Beam quiet."""
    from pipelines.dataflow import beam_options

    # Of what Beam has to say by the way, only the state of a job in the cloud is of interest; an exception in
    # a step is raised here, too, and need not be told twice.
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    logging.getLogger("apache_beam.runners.dataflow").setLevel(logging.INFO)
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    # A job server's start, its own output and its end.
    logging.getLogger("apache_beam.utils.subprocess_server").setLevel(logging.ERROR)
    logging.getLogger("FlinkJarJobServer").setLevel(logging.WARNING)
    logging.getLogger().addFilter(_is_worth_saying)
    for module in ("dataflow_runner", "internal.apiclient"):
        logging.getLogger(f"apache_beam.runners.dataflow.{module}").addFilter(_is_short)
    return beam_options.checked(arguments, list(flags.FLAGS))


def open_pipeline(options: Sequence[str]) -> beam.Pipeline:
    """Opens an empty pipeline.

    Raises:
        UserError: Beam refuses its options.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.dataflow import options as dataflow_options

    dataset = flags.dataset()
    images = None if dataset.dataset == "creatures" else dataset.data_dir or ""  # Those are drawn, not read.
    places = {"--data_dir": images, "--features_dir": flags.workdir().features}
    accelerator = bool(flags.extraction().accelerator)
    completed = dataflow_options.completed(options, places, accelerator=accelerator)
    try:
        return beam.Pipeline(options=PipelineOptions(completed))
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"Apache Beam refuses its options: {error}") from error


def _is_worth_saying(record: logging.LogRecord) -> bool:
    """Drops a job service's log noise, which Beam passes on under the name of the root logger."""
    return record.module != "portable_runner" or record.levelno >= logging.WARNING


def _is_short(record: logging.LogRecord) -> bool:
    """Leaves out the whole job, all options, and advice for those who send packages along."""
    return not str(record.msg).startswith(("Create job:", "sdk_pipeline_options:", "Pipeline has additional"))


def plan() -> FeatureExtraction:
    """Checks everything before anything is written; the performer's memory is free again afterwards."""
    from pipelines.extraction import staged_performer

    extraction, performer = planned()
    _announce(performer, extraction.source)
    staged_performer.save_if_new(performer, flags.workdir())
    return extraction


def planned() -> tuple[FeatureExtraction, Performer]:
    """Opens the images and the performer, and writes nothing."""
    from pipelines.extraction import feature_extraction, staged_performer
    from tf_explainer.datasets.registry import open_source

    workdir, dataset = flags.workdir(), flags.dataset()
    source = open_source(dataset)
    performer = staged_performer.load(flags.performer(), workdir)
    extraction = feature_extraction.plan(source, dataset, performer, flags.extraction(), workdir.features)
    return extraction, performer


def _announce(performer: Performer, source: ImageSource) -> None:
    """Tells what a rule decided, where nobody did: the layers, and what becomes of negative values."""
    from tf_explainer.performer import signed_maps

    named, chosen = flags.performer(), performer.config
    decided = [] if named.target_layer else [f"{chosen.target_layer} is explained"]
    if not named.distilled_layers:
        decided.append(f"given back are {', '.join(chosen.distilled_layers)}")
    if decided:
        print(
            f"By the rule in docs/performers.md, {', and '.join(decided)}; "
            "python -m tf_explainer.performers lists all layers"
        )
    if performer.treatment != "whole":
        share = _negative_energy(performer, source)
        print(signed_maps.notice(chosen.target_layer, performer.treatment, share))


def _negative_energy(performer: Performer, source: ImageSource) -> float | None:
    """Measures the negative share of the target layer's energy on a few images; None if none can be read."""
    from tf_explainer.datasets.labelled_crops import read_crops
    from tf_explainer.performer.activation_statistics import activation_statistics

    first = list(itertools.islice(source.references(), _SAMPLED))
    crops = read_crops(source, first, performer.config.image_size, flags.dataset())
    images = [crop.image for crop in crops]
    target = performer.config.target_layer
    return (
        activation_statistics(performer.model, [target], images)[target].negative_energy if images else None
    )


def _estimate(options: Sequence[str]) -> list[str]:
    """Measures a sample, and returns what the extraction is going to take."""
    from pipelines.extraction import cost_estimate, throughput_sample

    prices, fleet = flags.dry_run(), cost_estimate.dataflow_fleet(options)
    extraction, performer = planned()
    _announce(performer, extraction.source)
    predict = performer.feature_model().predict_on_batch
    sample = throughput_sample.measure(extraction, predict, prices.dry_run_images)
    lines = cost_estimate.describe(sample, extraction.shards.features_dir)
    if fleet:
        lines += cost_estimate.describe_cost(sample, fleet, extraction.shards.num_shards, prices)
    return lines


def _run(pipeline: beam.Pipeline, extraction: FeatureExtraction) -> PipelineResult:
    """Runs the pipeline to its end."""
    from pipelines.extraction.feature_extraction import ExtractFeatures

    _ = pipeline | "ExtractFeatures" >> ExtractFeatures(extraction)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except Exception as error:
        if str(error).startswith(KeyboardInterrupt.__name__):  # Beam wraps it.
            raise KeyboardInterrupt from None
        # A message for the person, among what the runner says of it.
        text = f"UserError: {error}" if isinstance(error, UserError) else str(error)
        message = re.search(r"UserError: (.*?)(?: \[while running|\n|$)", text)
        if message is None and not _is_of_the_cloud(error):
            raise
        raise UserError(message[1] if message else f"Google Cloud Dataflow: {error}") from error
    return result


def _is_of_the_cloud(error: Exception) -> bool:
    """Tells whether the cloud refused or lost the job: what it says is of more use than where we were."""
    return type(error).__module__.startswith(("google.api_core.", "apache_beam.runners.dataflow."))


def _balance(manifest: Manifest) -> str:
    dead = f"{manifest.dead_letters} dead letters" + (
        " (see dead_letters.jsonl)" if manifest.dead_letters else ""
    )
    views = f" x {1 + len(manifest.views)}" if manifest.views else ""
    return f"{manifest.inputs} images in = {manifest.outputs}{views} records + {dead}"


def run() -> None:
    """The console script tf-explainer-extract-features."""
    flags.run(main, pass_unknown=True)


if __name__ == "__main__":
    run()
