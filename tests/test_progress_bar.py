import io
import os

import pytest

from tf_explainer import progress_bar
from tf_explainer.progress_bar import ProgressBar, Stages


class Terminal(io.StringIO):
    """A screen that lines can be written over."""

    def isatty(self):
        return True

    def fileno(self):
        return 0


def clock(monkeypatch, moments):
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(moments))


def test_elsewhere_a_line_is_written_every_few_seconds_and_at_the_end(monkeypatch):
    clock(monkeypatch, iter(range(1000)))
    file = io.StringIO()
    bar = ProgressBar("images", 100, file=file)
    bar.start_t -= 60
    for _ in range(100):
        bar.update()
    bar.close()
    lines = file.getvalue().split("\n")
    assert "\r" not in file.getvalue()
    assert lines.pop() == ""
    assert lines[0] == "images: 0/100"
    assert lines[1].startswith("images: 5/100, ")
    assert lines[1].endswith(" left")
    assert lines[-1] == "images: 100/100 in 01:00"
    assert len(lines) == 1 + 100 // 5 + 1 - 1


def test_the_last_thing_is_told_once_though_the_work_ends_later(monkeypatch):
    clock(monkeypatch, iter(range(0, 100_000, 100)))
    file = io.StringIO()
    bar = ProgressBar("images", 2, file=file)
    bar.update(2)
    bar.start_t -= 60  # What follows the last thing takes a minute.
    bar.close()
    assert [line.split(" in ")[0] for line in file.getvalue().splitlines()] == ["images: 0/2", "images: 2/2"]


@pytest.mark.parametrize(("columns", "lines", "longest"), [(13, 9, 12), (0, 0, 79)])
def test_on_a_terminal_one_line_is_written_over(monkeypatch, columns, lines, longest):
    """Pseudo-terminals may have no size: 0 x 0."""
    file = Terminal()
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, lines)))
    bar = ProgressBar("images", 3, file=file, mininterval=0)
    for _ in range(3):
        bar.update()
    bar.close()
    assert file.getvalue().count("\n") == 1
    assert file.getvalue().endswith("\n")
    shown = [line.rstrip() for line in file.getvalue().split("\r") if line.strip()]
    assert len(shown) >= 4
    assert max(map(len, shown)) <= longest, "a line that wraps is not written over"


@pytest.mark.slow
def test_in_a_notebook_one_line_is_written_over():
    nbclient = pytest.importorskip("nbclient", reason="needs the packages of `notebook`")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="needs the packages of `notebook`")
    code = """
import time
from tf_explainer.progress_bar import ProgressBar
bar = ProgressBar("images", 60)
for done in range(60):
    time.sleep(0.01)
    bar.update()
    if done == 30:
        bar.note("half of it is done")
bar.close()
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    line, note = notebook.cells[0].outputs
    assert line["data"]["text/plain"].startswith("images: 60/60 in 00:0")
    assert note["text"] == "half of it is done\n"


def test_without_a_total_the_time_is_told():
    file = io.StringIO()
    bar = ProgressBar("parts", unit="images", file=file)
    bar.start_t -= 62
    bar.update(32)
    bar.close()
    assert file.getvalue().splitlines() == ["parts: 0 images", "parts: 32 images, 01:02"]


def test_more_than_the_total_raises_the_total():
    file = io.StringIO()
    bar = ProgressBar("steps", 2, file=file)
    bar.update(3)
    bar.close()
    assert file.getvalue().splitlines()[-1] == "steps: 3/3 in 00:00"


def test_a_moment_tells_no_speed():
    bar = ProgressBar("images", 686, file=io.StringIO())
    bar.n = 32
    assert str(bar) == "images: 32/686"
    bar.start_t -= 16
    assert str(bar).startswith("images: 32/686, 2.0/s, 05:2")


def test_what_was_done_before_is_no_speed():
    file = io.StringIO()
    ProgressBar("images", 9, file=file, initial=4).close()
    assert file.getvalue() == "images: 4/9\n"


def test_a_note_stays():
    file = io.StringIO()
    bar = ProgressBar("images", 9, file=file)
    bar.note("half of it is done")
    bar.close()
    assert "half of it is done\n" in file.getvalue()


def test_stages_follow_one_another(capsys):
    with Stages() as stages:
        for _ in range(2):
            stages.bar("reading").update(1)
        stages.bar("training", 5, unit="batches").update(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 0", "reading: 2", "training: 0/5 batches", "training: 5/5 batches in 00:00"]
