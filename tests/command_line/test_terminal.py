"""What a person sees of our commands: no talk of libraries, whatever starts them; every warning of ours."""

import logging
import os
import re
import subprocess
import sys

import pytest

from tests.support.source_imports import ROOT
from tf_explainer.command_line import terminal

# What TensorFlow says by the way: absl's lines (I0000 00:00:..., and W, E), and Python's warnings.
TALK = re.compile(
    r"absl::InitializeLog|cuInit|cudart|oneDNN|cpu_feature_guard|enable the following instructions"
    r"|[A-Za-z]+Warning:|^[IWEF]\d{4} |functional_saver|semi_persistent|tensorflow",
    re.MULTILINE,
)
PERFORMERS = ("--backbone=mobilenet", "--backbone_alpha=0.25", "--backbone_weights=none", "--image_size=32")


def run(*command, **environment):
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_is_quiet_and_warns(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    result = run("-m", "tf_explainer.performers", *PERFORMERS, f"--image={tmp_path}")
    said = result.stdout + result.stderr
    assert not TALK.search(said), said
    assert re.search(r"^Warning: .*broken\.jpg is left out: ", result.stderr, re.MULTILINE)


@pytest.mark.slow
def test_who_asks_for_the_talk_gets_it():
    code = "from tf_explainer.command_line import terminal; terminal.silence_libraries(); import tensorflow"
    asked = run("-c", code, TF_CPP_MIN_LOG_LEVEL="0")
    assert asked.returncode == 0
    assert "cpu_feature_guard" in asked.stderr or "cuda" in asked.stderr, asked.stderr


@pytest.mark.slow
def test_workers_are_quiet_and_only_those_of_a_command():
    code = (
        "import os, sys, pipelines; print(*(type(each).__name__ for each in sys.meta_path), *os.environ);"
        "import tensorflow"
    )
    worker = run("-c", code, TF_EXPLAINER_COMMAND="1")
    assert worker.returncode == 0
    assert worker.stderr == ""
    library = run("-c", code.replace(";import tensorflow", ""))
    assert "TF_CPP_MIN_LOG_LEVEL" not in library.stdout
    assert "TF_CPP_MIN_LOG_LEVEL" in worker.stdout
    assert "_QuietFinder" in worker.stdout
    assert "_QuietFinder" not in library.stdout


def test_what_is_no_information_is_let_through(capfd):
    with terminal._without_information():
        os.write(
            2, b"I0000 00:00:1.2 3 cudart_stub.cc:31] no GPU\nE0000 00:00:1.2 3 a.cc:1] it is broken\nplain\n"
        )
    assert capfd.readouterr().err == "E0000 00:00:1.2 3 a.cc:1] it is broken\nplain\n"


OURS = str(ROOT / "tf_explainer" / "datasets" / "image_files.py")
BEAM = "/site-packages/apache_beam/runners/portability/local_job_service.py"


@pytest.mark.parametrize(
    ("name", "path", "level", "message", "shown"),
    [
        ("absl", OURS, logging.INFO, "resumed", True),
        ("absl", "/site-packages/tensorflow/python/functional_saver.py", logging.INFO, "sharding", False),
        ("absl", "/site-packages/tensorflow/python/saver.py", logging.WARNING, "no metrics", False),
        ("tensorflow", "/site-packages/tensorflow/python/saver.py", logging.ERROR, "broken", True),
        ("apache_beam.runners.portability", BEAM, logging.WARNING, "No semi_persistent_directory", False),
        ("apache_beam.runners.portability", BEAM, logging.WARNING, f'log_location: "{OURS}:3"', True),
        ("apache_beam.runners.dataflow.dataflow_runner", "/apache_beam/x.py", logging.INFO, "running", True),
        ("apache_beam.io.gcp.gcsio", "/apache_beam/gcsio.py", logging.INFO, "retrying", True),
        ("apache_beam.io.gcp.bigquery", "/apache_beam/bigquery.py", logging.INFO, "cannot be read", False),
        ("PIL", "/site-packages/PIL/Image.py", logging.INFO, "opened", False),
        ("google.auth", "/site-packages/google/auth.py", logging.WARNING, "no quota project", True),
        ("absl", "/tensorflow_datasets/feature.py", logging.WARNING, "`Text.dtype` is deprecated.", False),
        ("absl", "/tensorflow_datasets/reader.py", logging.WARNING, "the file is from the future", True),
    ],
)
def test_messages_are_chosen_by_who_speaks(name, path, level, message, shown):
    record = logging.LogRecord(name, level, path, 1, message, (), None)
    assert terminal._is_for_a_person(record) is shown


def test_a_message_has_its_level_and_no_date():
    record = logging.LogRecord("absl", logging.WARNING, OURS, 1, "%s is left out", ("a.jpg",), None)
    assert terminal._Formatter().format(record) == "Warning: a.jpg is left out"
    record.levelno = logging.INFO
    assert terminal._Formatter().format(record) == "a.jpg is left out"
