"""The settings of an extraction, from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_explainer.command_line import flags

if TYPE_CHECKING:
    from pipelines.extraction.job import ExtractionJob


def extraction_job(arguments: Sequence[str]) -> ExtractionJob:
    """Returns the settings, and keeps Beam's log to what a person needs.

    Args:
        arguments: what is left of the command line: options of Beam.

    Raises:
        UserError: one of them is neither ours nor Beam's, or a setting is missing or wrong.
    """
    from pipelines.dataflow import beam_log, beam_options
    from pipelines.extraction.job import ExtractionJob

    beam_log.quiet()
    options = beam_options.check(arguments, list(flags.FLAGS))
    return ExtractionJob(
        workdir=flags.workdir(),
        dataset=flags.dataset(),
        performer=flags.performer(),
        extraction=flags.extraction(),
        beam_options=options,
    )
