import collections
import subprocess
import sys

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.image_explanations import line_files
from pipelines.image_explanations.line_files import WriteLines
from tests.pipelines import memory_file_system

LINES = [f"line {number} grün" for number in range(50)]


def write(lines, output, shards=1):
    with beam.Pipeline(options=PipelineOptions([])) as pipeline:
        _ = pipeline | beam.Create(lines) | beam.Reshuffle() | WriteLines(output, shards)


def contents(folder):
    return {path.name: path.read_text(encoding="utf-8").splitlines() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["all.jsonl", "all[1]*.jsonl", "all.gz"])
def test_every_line_is_in_the_file_once(tmp_path, name):
    write(LINES, str(tmp_path / name))
    (lines,) = contents(tmp_path).values()
    assert sorted(lines) == sorted(LINES)


def test_files_get_the_same_number_of_lines(tmp_path):
    write(LINES, str(tmp_path / "new" / "all.jsonl"), shards=3)
    found = contents(tmp_path / "new")
    assert sorted(found) == [f"all-0000{shard}-of-00003.jsonl" for shard in range(3)]
    assert collections.Counter(line for lines in found.values() for line in lines) == dict.fromkeys(LINES, 1)
    assert sorted(map(len, found.values())) == [16, 17, 17]


def test_without_lines_the_files_are_empty(tmp_path):
    write([], str(tmp_path / "all.jsonl"), shards=2)
    assert contents(tmp_path) == {f"all-0000{shard}-of-00002.jsonl": [] for shard in range(2)}


def test_an_earlier_file_is_replaced(tmp_path):
    (tmp_path / "all.jsonl").write_text("earlier\n")
    write(["later"], str(tmp_path / "all.jsonl"))
    assert contents(tmp_path) == {"all.jsonl": ["later"]}


def test_a_bucket():
    output = f"{memory_file_system.SCHEME}://bucket/lines/all.jsonl"
    write(LINES, output)
    found = {path: text for path, text in memory_file_system.FILES.items() if "bucket/lines" in path}
    assert list(found) == [output]
    assert sorted(found[output].decode().splitlines()) == sorted(LINES)


def test_what_a_killed_job_left_is_removed_and_nothing_else(tmp_path):
    output = tmp_path / "all[1].jsonl"
    piece = tmp_path / ".all[1].jsonl.piece-123"
    others = [tmp_path / name for name in (".all1.jsonl.piece-123", "all[1].jsonl", "all[1].jsonl.piece-1")]
    for path in (piece, *others):
        path.touch()
    line_files.remove_pieces(str(output))
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_a_file_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".all.jsonl.piece-123").touch()
    line_files.remove_pieces("all.jsonl")
    assert not list(tmp_path.iterdir())
    write(LINES, "all.jsonl", shards=2)
    assert sorted(contents(tmp_path)) == [f"all-0000{shard}-of-00002.jsonl" for shard in range(2)]


def test_a_job_that_fails_leaves_the_earlier_file(tmp_path):
    (tmp_path / "all.jsonl").write_text("earlier\n")
    pipeline = beam.Pipeline()
    lines = pipeline | beam.Create(LINES) | beam.Map(_fail_at_the_last)
    _ = lines | WriteLines(str(tmp_path / "all.jsonl"))
    with pytest.raises(RuntimeError, match="cannot be encoded"):
        pipeline.run()
    assert (tmp_path / "all.jsonl").read_text() == "earlier\n"


def _fail_at_the_last(line):
    if line == LINES[-1]:
        raise RuntimeError("it cannot be encoded")
    return line


MEMORY = """
import resource, sys
import apache_beam as beam
from pipelines.image_explanations.line_files import WriteLines

def run(number):
    with beam.Pipeline() as pipeline:
        lines = pipeline | beam.Create(range(number)) | beam.Map(lambda n: str(n % 10) * 100_000)
        _ = lines | WriteLines(sys.argv[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

few, many = run(10), run(3000)
print((many - few) / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_lines(tmp_path):
    output = tmp_path / "all.jsonl"
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(output)], capture_output=True, text=True, check=True
    )
    assert output.stat().st_size == 3000 * 100_001
    assert float(run.stdout) < 100  # MB; the lines have 300.
