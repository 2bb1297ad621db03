"""What would be submitted to Dataflow, without a submission. `make dataflow_dry_run` prints it."""

import pytest
from absl.testing import flagsaver

from pipelines import dataflow_dry_run
from tests.pipelines.dataflow.test_options import arguments
from tf_explainer.command_line import flags
from tf_explainer.errors import UserError


@pytest.fixture(name="dry_run")
def _dry_run(performer, tmp_path, capsys):
    """Runs the binary in this process, and returns what it prints by what it begins with."""

    def run(*more, **changes):
        command = [
            "program",
            f"--workdir={tmp_path}",
            "--dataset=creatures",
            f"--performer={performer.config.performer}",
            "--image_size=32",
            "--target_layer=conv",
            "--num_shards=5",
            "--features_dir=gs://a-bucket/features",
            *arguments(*more, **changes),
        ]
        with flagsaver.flagsaver():
            dataflow_dry_run.main(flags.FLAGS(command, known_only=True)[1:])
        return capsys.readouterr().out

    return run


def row(said, name):
    (value,) = [line.removeprefix(name).strip() for line in said.splitlines() if line.startswith(name)]
    return value


def steps(said):
    _, _, listed = said.partition("steps, with what their workers must have\n")
    return [line.strip() for line in listed.splitlines() if line.startswith("  ")]


def test_the_job_is_described_and_nothing_written(dry_run, tmp_path):
    said = dry_run(
        "--machine_type=n1-standard-4",
        "--num_workers=2",
        "--max_num_workers=7",
        "--labels=team=vision",
        "--job_name=foxes",
    )
    assert row(said, "job") == "foxes (batch)"
    assert row(said, "project, region") == "a-project, us-central1"
    assert row(said, "staged to").startswith("gs://a-bucket/tmp")
    assert row(said, "code") == "us-docker.pkg.dev/a-project/images/worker:1"
    assert row(said, "machines") == "n1-standard-4, 2 at first, at most 7"
    assert row(said, "processes") == "one a core, threads in each: 1"
    assert row(said, "labels") == "team=vision"
    assert row(said, "shards").startswith("5:")
    assert not list(tmp_path.iterdir())


def test_the_extraction_alone_asks_for_a_gpu(dry_run):
    said = dry_run("--accelerator=nvidia-l4", "--worker_min_ram=16GB")
    (hinted,) = [step for step in steps(said) if "[" in step]
    assert hinted == (
        "ExtractFeatures/ExtractShard  "
        "[accelerator=type:nvidia-l4;count:1;install-nvidia-driver, min_ram_bytes=16000000000]"
    )
    names = [step.split()[0].removeprefix("ExtractFeatures/") for step in steps(said)]
    assert names[0] == "Source"
    assert names[-1] == "Finish"
    assert len(set(names)) == len(names) > 8
    assert row(said, "processes") == "one a machine, threads in each: 2"


@pytest.mark.slow
def test_the_description_does_not_grow_with_the_images(dry_run):
    few, many = (
        int(row(dry_run(f"--num_images={number}"), "description").split()[0].replace(",", ""))
        for number in (100, 100_000_000)
    )
    assert few == pytest.approx(many, abs=200)
    assert few < 100_000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"runner": "FnApiRunner"}, "--runner=DataflowRunner"),
        ({"project": "A project"}, "Invalid Project ID"),
        ({"job_name": "Foxes!"}, "Invalid job_name"),
        ({"num_workers": 9, "max_num_workers": 3}, r"num_workers \(9\)"),
        ({"sdk_container_image": None}, "--sdk_container_image"),
        ({"worker_min_ram": "16"}, "--worker_min_ram=16"),
        ({"machine_typ": "n1"}, "--machine_type"),
    ],
)
def test_a_wrong_option_is_refused(dry_run, changes, words):
    with pytest.raises(UserError, match=words):
        dry_run(**changes)
