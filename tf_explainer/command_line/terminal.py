"""Decides what our commands show in the terminal: our own messages and errors, but no noise of libraries."""

from __future__ import annotations

import contextlib
import importlib.machinery
import io
import logging
import os
import pathlib
import re
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator, Sequence

import tqdm

_OURS = tuple(
    str(pathlib.Path(__file__).parents[2] / name) + os.sep for name in ("tf_explainer", "pipelines")
)
_TALKATIVE = ("tensorflow", "keras", "apache_beam")
# These report on the user's job, which may cost money.
_WELCOME = ("apache_beam.runners.dataflow", "apache_beam.io")
# Nothing here uses BigQuery, about which Beam warns everyone without the extra `gcp`.
_UNUSED = "apache_beam.io.gcp.bigquery"
# Set for the processes that a command starts, such as Beam's workers.
_OF_A_COMMAND = "TF_EXPLAINER_COMMAND"
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_INFORMATION = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")


def silence_libraries() -> None:
    """Suppresses log noise of TensorFlow, Keras and Beam; must be called before they are imported.

    TF_CPP_MIN_LOG_LEVEL and Python's warning options still take effect. Processes started from this one, such
    as Beam's workers, can call `silence_libraries_in_a_worker`.
    """
    # TensorFlow raises errors that matter as exceptions; the errors it logs come from its search for a GPU.
    os.environ.setdefault(_LEVEL, "3")
    os.environ[_OF_A_COMMAND] = "1"
    if os.environ[_LEVEL] != "0" and not any(isinstance(each, _QuietFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=rf"({'|'.join(_TALKATIVE)})(\.|$)")


def silence_libraries_in_a_worker() -> None:
    """Calls `silence_libraries` if one of our commands started this process."""
    if _OF_A_COMMAND in os.environ:
        silence_libraries()


def prepare() -> None:
    """Sets up the terminal for one of our commands: quiet libraries, plain log messages."""
    silence_libraries()
    handler = _Handler()
    handler.addFilter(_is_for_a_person)
    handler.setFormatter(_Formatter())
    logging.root.handlers = [handler]
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Keeps lines of stdout and stderr in order, in a pipe, too.
        sys.stdout.reconfigure(line_buffering=True)


def _is_for_a_person(record: logging.LogRecord) -> bool:
    """Returns whether a message is our own, an error, or a warning of a library that is not talkative."""
    if record.levelno >= logging.ERROR or record.pathname.startswith(_OURS):
        return True
    if record.name.startswith(_WELCOME) and not record.name.startswith(_UNUSED):
        return record.levelno >= logging.INFO
    # By file, because many loggers are not named after their module. A worker's message contains the
    # worker's own file.
    if set(_TALKATIVE) & set(re.split(r"[/\\]", record.pathname)):
        return any(path in record.getMessage() for path in _OURS)
    # Deprecations are for developers.
    return record.levelno >= logging.WARNING and "deprecated" not in record.getMessage()


class _Formatter(logging.Formatter):
    """Omits dates and places; puts the level in front of messages above INFO."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        return message if record.levelno <= logging.INFO else f"{record.levelname.capitalize()}: {message}"


class _Handler(logging.Handler):
    """Writes messages above the current progress bar, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.tqdm.write(self.format(record), file=sys.stderr)


class _QuietFinder(importlib.machinery.PathFinder):
    """Makes the extension modules of TensorFlow load quietly.

    While they load, they log before they have read TF_CPP_MIN_LOG_LEVEL.
    """

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith("tensorflow."):
            return None
        spec = super().find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


class _QuietLoader(importlib.machinery.ExtensionFileLoader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        with _without_information():
            return super().create_module(spec)


@contextlib.contextmanager
def _without_information() -> Iterator[None]:
    """Captures stderr (file descriptor 2) in the block, then writes all lines that are not INFO logs."""
    with tempfile.TemporaryFile() as held:
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not _INFORMATION.match(line)))
