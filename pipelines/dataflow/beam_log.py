"""Limits Apache Beam's log to what users need."""

from __future__ import annotations

import logging

# The state of a job in the cloud is of interest. An exception in a step is also raised in this process, so it
# need not be logged. A job server logs its start, its own output and its end.
_LEVELS = {
    "apache_beam": logging.WARNING,
    "apache_beam.runners.dataflow": logging.INFO,
    "apache_beam.runners.common": logging.CRITICAL,
    "apache_beam.utils.subprocess_server": logging.ERROR,
    "FlinkJarJobServer": logging.WARNING,
}


def quiet() -> None:
    """Limits Beam's log in this process."""
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addFilter(_is_worth_saying)
    for module in ("dataflow_runner", "internal.apiclient"):
        logging.getLogger(f"apache_beam.runners.dataflow.{module}").addFilter(_is_short)


def _is_worth_saying(record: logging.LogRecord) -> bool:
    """Drops log noise of the job service, which Beam forwards to the root logger."""
    return record.module != "portable_runner" or record.levelno >= logging.WARNING


def _is_short(record: logging.LogRecord) -> bool:
    """Drops the job's full description, all options, and advice about additional packages."""
    return not str(record.msg).startswith(("Create job:", "sdk_pipeline_options:", "Pipeline has additional"))
