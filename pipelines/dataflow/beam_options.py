"""Checks Apache Beam's part of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from tf_explainer.errors import UserError, nearest_names


def check(arguments: Sequence[str], our_flags: Iterable[str]) -> list[str]:
    """Checks that the arguments left by our own flags are options of Beam.

    Args:
        arguments: what our own flags left of the command line.
        our_flags: names of our own flags, to suggest the nearest one.

    Returns:
        The arguments, with a runner.

    Raises:
        UserError: an option is unknown or has a bad value, or the runner is known to lose data.
    """
    parser = _parser()
    try:
        known, unknown = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise UserError(f"Apache Beam's options: {error}") from error
    if unknown:
        names = [option for action in parser._actions for option in action.option_strings]
        nearest = nearest_names(unknown[0].split("=")[0], [*names, *(f"--{name}" for name in our_flags)])
        raise UserError(
            f"{unknown[0]!r} is neither a flag of this program nor an option of Apache Beam; "
            f"the nearest: {nearest}"
        )
    if known.runner is None:
        # Beam's default would first try to download another runner.
        return [*arguments, "--runner=FnApiRunner"]
    if known.runner.rpartition(".")[2].lower().removesuffix("runner") == "dask":
        raise UserError(
            f"--runner={known.runner} silently loses elements (with Beam 2.77 a batching step dropped 4 of "
            "100): use --direct_running_mode=multi_processing, or the Flink, Spark or Dataflow runner"
        )
    return list(arguments)


def is_dataflow(arguments: Sequence[str]) -> bool:
    """Returns whether the options, from `check`, name the Dataflow runner."""
    runner = _parser().parse_known_args(list(arguments))[0].runner or ""
    return runner.rpartition(".")[2].lower().removesuffix("runner") == "dataflow"


def _parser() -> argparse.ArgumentParser:
    """Returns a parser of the options of all of Beam's modules."""
    parser = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, conflict_handler="resolve", exit_on_error=False
    )
    classes = [PipelineOptions]
    for cls in classes:
        classes.extend(cls.__subclasses__())
        if "_add_argparse_args" in vars(cls):
            cls._add_argparse_args(parser)
    return parser
