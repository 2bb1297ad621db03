"""What reaches the terminal of a person who runs one of our commands: our own words, and what went wrong."""

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
# Of Beam's parts, two speak of what a person started and pays for.
_WELCOME = ("apache_beam.runners.dataflow", "apache_beam.io")
# What it says of BigQuery, which nothing here uses, is said to everybody without the extra `gcp`.
_UNUSED = "apache_beam.io.gcp.bigquery"
# Set for the processes that a command starts, such as Beam's workers.
_OF_A_COMMAND = "TF_EXPLAINER_COMMAND"
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_INFORMATION = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")


def silence_libraries() -> None:
    """Keeps what TensorFlow, Keras and Beam say by the way off the terminal, if called before their import.

    Whoever sets TF_CPP_MIN_LOG_LEVEL or Python's warning options gets what they ask for. Processes that are
    started from this one, such as Beam's workers, are as quiet.
    """
    # Errors of TensorFlow that matter come as exceptions; what it logs as errors is its search for a GPU.
    os.environ.setdefault(_LEVEL, "3")
    os.environ[_OF_A_COMMAND] = "1"
    if os.environ[_LEVEL] != "0" and not any(isinstance(each, _QuietFinder) for each in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=rf"({'|'.join(_TALKATIVE)})(\.|$)")


def silence_libraries_in_a_worker() -> None:
    """Does the same in a process that one of our commands has started, and nothing in any other."""
    if _OF_A_COMMAND in os.environ:
        silence_libraries()


def prepare() -> None:
    """Makes this process's terminal that of a command of ours: quiet libraries, plain log messages."""
    silence_libraries()
    handler = _Handler()
    handler.addFilter(_is_for_a_person)
    handler.setFormatter(_Formatter())
    logging.root.handlers = [handler]
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Through a pipe, too, lines come in the order in which they were written.
        sys.stdout.reconfigure(line_buffering=True)


def _is_for_a_person(record: logging.LogRecord) -> bool:
    """Tells whether a message is one of ours, an error, or a warning of a library that is not talkative."""
    if record.levelno >= logging.ERROR or record.pathname.startswith(_OURS):
        return True
    if record.name.startswith(_WELCOME) and not record.name.startswith(_UNUSED):
        return record.levelno >= logging.INFO
    # By the file: many modules' loggers are not named after them. A worker's message names the worker's.
    if set(_TALKATIVE) & set(re.split(r"[/\\]", record.pathname)):
        return any(path in record.getMessage() for path in _OURS)
    # What a library will do away with is for us to change.
    return record.levelno >= logging.WARNING and "deprecated" not in record.getMessage()


class _Formatter(logging.Formatter):
    """Writes what is no news with its level in front, and no dates and places."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        return message if record.levelno <= logging.INFO else f"{record.levelname.capitalize()}: {message}"


class _Handler(logging.Handler):
    """Writes messages above a progress line that may be under way."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.tqdm.write(self.format(record), file=sys.stderr)


class _QuietFinder(importlib.machinery.PathFinder):
    """Finds TensorFlow's modules as ever, and lets those in machine code load quietly.

    While its libraries are loaded they log before they have read TF_CPP_MIN_LOG_LEVEL.
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
    """Holds back what is written to the error output, and lets through what is no mere information."""
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
