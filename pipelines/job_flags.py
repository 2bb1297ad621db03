"""Reads the settings of a job from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_explainer.command_line import flags

if TYPE_CHECKING:
    from pipelines.extraction.job import ExtractionJob


def beam_options(arguments: Sequence[str]) -> list[str]:
    """Returns Beam's options with a runner, and limits Beam's log to what users need.

    Args:
        arguments: what our own flags left of the command line.

    Raises:
        UserError: an argument is neither ours nor Beam's, or has a bad value.
    """
    from pipelines.dataflow import beam_log
    from pipelines.dataflow import beam_options as options

    beam_log.quiet()
    return options.check(arguments, list(flags.FLAGS))


def extraction_job(arguments: Sequence[str]) -> ExtractionJob:
    """Returns the settings of an extraction, and limits Beam's log to what users need.

    Args:
        arguments: what our own flags left of the command line: options of Beam.

    Raises:
        UserError: an argument is neither ours nor Beam's, or a setting is missing or wrong.
    """
    from pipelines.extraction.job import ExtractionJob

    options = beam_options(arguments)
    return ExtractionJob(
        workdir=flags.workdir(),
        dataset=flags.dataset(),
        performer=flags.performer(),
        extraction=flags.extraction(),
        beam_options=options,
    )
