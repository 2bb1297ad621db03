"""How a pipeline is run, on one that only looks at what it finds."""

import sys

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.dataflow import pipeline as beam_pipeline


class Pipeline:
    """Notes the interpreter that Beam would start."""

    def __init__(self, *arguments, error=None):
        self.options, self.error, self.interpreter = PipelineOptions(list(arguments)), error, ""

    def run(self):
        self.interpreter = sys.executable
        return self

    def wait_until_finish(self):
        if self.error:
            raise self.error


@pytest.mark.parametrize(
    ("mode", "interpreter"),
    [("multi_processing", "'/a b/python'"), ("in_memory", "/a b/python"), ("multi_threading", "/a b/python")],
)
def test_a_shell_takes_the_interpreter_for_one_word(monkeypatch, mode, interpreter):
    monkeypatch.setattr(sys, "executable", "/a b/python")
    pipeline = Pipeline(f"--direct_running_mode={mode}")
    assert beam_pipeline.run_to_end(pipeline) is pipeline
    assert pipeline.interpreter == interpreter
    assert sys.executable == "/a b/python"


def test_the_interpreter_has_its_name_again_when_a_pipeline_failed(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/a b/python")
    with pytest.raises(OSError, match="broken"):
        beam_pipeline.run_to_end(Pipeline("--direct_running_mode=multi_processing", error=OSError("broken")))
    assert sys.executable == "/a b/python"
