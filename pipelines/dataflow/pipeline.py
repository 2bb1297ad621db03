"""Opens Beam pipelines, runs them, and reads their counters."""

from __future__ import annotations

import collections
import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.runner import PipelineResult

from pipelines.dataflow import options as dataflow_options
from tf_explainer.errors import UserError


def open_pipeline(
    arguments: Sequence[str], places: Mapping[str, str | None], *, accelerator: bool = False
) -> beam.Pipeline:
    """Opens an empty pipeline.

    Args:
        arguments: from `beam_options.check`.
        places: paths of what workers read and write, by flag.
        accelerator: whether workers have a GPU.

    Raises:
        UserError: Beam or Dataflow refuses its options.
    """
    completed = dataflow_options.complete(arguments, places, accelerator=accelerator)
    try:
        return beam.Pipeline(options=PipelineOptions(completed))
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"Apache Beam refuses its options: {error}") from error


def run_to_end(pipeline: beam.Pipeline) -> PipelineResult:
    """Runs a pipeline and waits until it has finished.

    Raises:
        UserError: a step raised one, or the cloud refused or lost the job.
    """
    try:
        with _interpreter_as_one_word(pipeline.options):
            result = pipeline.run()
            result.wait_until_finish()
    except Exception as error:
        if str(error).startswith(KeyboardInterrupt.__name__):  # Beam wraps it.
            raise KeyboardInterrupt from None
        # The user's message is somewhere in the runner's.
        text = f"UserError: {error}" if isinstance(error, UserError) else str(error)
        message = re.search(r"UserError: (.*?)(?: \[while running|\n|$)", text)
        if message is None and not _comes_from_the_cloud(error):
            raise
        raise UserError(message[1] if message else f"Google Cloud Dataflow: {error}") from error
    return result


@contextlib.contextmanager
def _interpreter_as_one_word(options: PipelineOptions) -> Iterator[None]:
    """Quotes the interpreter's path, which Beam passes to a shell to start processes on this machine.

    Otherwise, if the path had a space, no process would start, and Beam would wait forever.
    """
    plain = sys.executable
    if options.view_as(DirectOptions).direct_running_mode == "multi_processing":
        sys.executable = shlex.quote(plain)
    try:
        yield
    finally:
        sys.executable = plain


def _comes_from_the_cloud(error: Exception) -> bool:
    """Returns whether the cloud refused or lost the job: then its message helps more than our traceback."""
    return type(error).__module__.startswith(("google.api_core.", "apache_beam.runners.dataflow."))


def totals(result: PipelineResult, namespace: str) -> collections.Counter[str]:
    """Returns a result's counters by name; counters that were never incremented are 0."""
    counts: collections.Counter[str] = collections.Counter()
    for counter in result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]:
        # Beam returns None for a counter that a job service reports as 0.
        counts[counter.key.metric.name] += counter.result or 0
    return counts
