"""The binary submits to what looks like Google Cloud, and what it staged there is run.

Workers have the project as an image of it has, or have nothing but the package that was sent along.
"""

import pathlib
import shutil
import subprocess
import sys

import pytest
from apache_beam.internal.gcp import auth
from google.cloud import dataflow

from pipelines.dataflow import job as dataflow_job
from pipelines.feature_set import atomic_files
from tests.pipelines import fake_dataflow, runners, services, squares, staged_job
from tests.pipelines.small_cloud_job import (
    BUCKET,
    IMAGE,
    NUM_IMAGES,
    SHARDS,
    Cloud,
    check_features,
    command,
    photos,
    write,
)

pytestmark = pytest.mark.slow

# The layers above the target are left to the rule.
DECIDED = "By the rule in docs/performers.md: reconstructed layers fc1, fc2."


@pytest.fixture(name="cloud", scope="module")
def _cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    cloud = Cloud(folder)
    with (
        services.storage_emulator("a-bucket") as storage,
        fake_dataflow.serving(cloud.execute) as cloud.api,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", storage)
        key = fake_dataflow.credentials(cloud.api, folder / "key.json")
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        # In this process, which looks into the bucket only, without credentials.
        patch.setattr(auth._Credentials, "_credentials_init", True)
        patch.setattr(auth._Credentials, "_credentials", None)
        for name, content in photos():
            write(f"{BUCKET}/photos/{name}", content)
        yield cloud


@pytest.fixture(name="flagfile", scope="module")
def _flagfile(performer, tmp_path_factory):
    """What is to be extracted, as a person writes it down."""
    file = tmp_path_factory.mktemp("flags") / "small.flags"
    lines = [
        "--dataset=folder",
        f"--performer={performer.config.performer}",
        "--image_size=32",
        "--target_layer=conv",
        f"--num_shards={SHARDS}",
        "--max_dead_letters=0.2",
        "--project=a-project",  # Of Beam's options, one.
    ]
    file.write_text("\n".join(lines))
    return f"--flagfile={file}"


@pytest.fixture(name="expected", scope="module")
def _expected(flagfile, tmp_path_factory):
    """What the same flags make on this machine."""
    folder = tmp_path_factory.mktemp("here")
    for name, content in photos():
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    runners.extract([flagfile, f"--data_dir={folder}/photos", f"--workdir={folder / 'run'}"], folder / "log")
    return squares.files(folder / "run" / "features")


@pytest.fixture(name="submitted", scope="module")
def _submitted(cloud, flagfile):
    """What the binary printed, and the job that it submitted, on workers with an image of the project."""
    said = runners.extract(
        command(
            cloud,
            flagfile,
            "features",
            f"--sdk_container_image={IMAGE}",
            "--job_name=foxes",
            "--labels=team=vision",
            "--machine_type=n1-standard-4",
            "--num_workers=2",
            "--max_num_workers=7",
            "--disk_size_gb=50",
            "--service_account_email=worker@a-project.iam.gserviceaccount.com",
            "--accelerator=nvidia-tesla-t4",
            "--worker_min_ram=12GB",
        ),
        cloud.folder / "submitted.log",
    )
    (job,) = cloud.api.jobs
    return said, job


def test_the_staged_job_makes_the_features(submitted, expected, tmp_path):
    said, _ = submitted
    decided, balance, *_ = said.splitlines()
    assert decided.startswith(DECIDED)
    assert balance.startswith(f"{NUM_IMAGES} images in = {NUM_IMAGES - 1} records + 1 dead letters")
    assert f"; {NUM_IMAGES - 1} computed now" in balance  # By the counters that the API gives.
    check_features("features", expected, tmp_path / "there")


def test_the_job_is_what_the_command_says(submitted):
    _, job = submitted
    assert (job.name, job.project_id, job.location) == ("foxes", "a-project", "us-central1")
    assert job.type_ == dataflow.JobType.JOB_TYPE_BATCH
    assert dict(job.labels) == {"team": "vision"}
    environment = job.environment
    assert environment.service_account_email == "worker@a-project.iam.gserviceaccount.com"
    assert "no_use_multiple_sdk_containers" in environment.experiments
    assert environment.temp_storage_prefix.startswith("storage.googleapis.com/a-bucket/tmp")


def test_workers_are_what_the_command_says(submitted):
    _, job = submitted
    (pool,) = job.environment.worker_pools
    assert (pool.machine_type, pool.num_workers, pool.disk_size_gb) == ("n1-standard-4", 2, 50)
    assert pool.autoscaling_settings.max_num_workers == 7
    assert pool.num_threads_per_worker == 2
    assert {image.container_image for image in pool.sdk_harness_container_images} == {IMAGE}


def test_the_extraction_alone_asks_for_a_gpu(submitted, tmp_path):
    _, job = submitted
    steps = staged_job.pipeline(job, tmp_path)
    (hinted,) = [step for step in dataflow_job.steps(steps) if "[" in step]
    assert hinted == (
        "ExtractFeatures/ExtractShard  "
        "[accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver, min_ram_bytes=12000000000]"
    )
    # Of what is known about the images, it holds what was counted on this machine: nothing.
    assert steps.ByteSize() < 100_000
    assert b"cat/1.png" not in steps.SerializeToString()


def test_what_is_staged(submitted, performer, tmp_path):
    _, job = submitted
    staged = staged_job.artifacts(staged_job.pipeline(job, tmp_path))
    # The image has everything else.
    assert set(staged) == {"submission_environment_dependencies.txt"}
    assert staged["submission_environment_dependencies.txt"].startswith(f"{BUCKET}/features-staged/")
    atomic_files.fetch_file(f"{BUCKET}/features/performer.keras", str(tmp_path / "performer.keras"))
    assert (tmp_path / "performer.keras").read_bytes() == pathlib.Path(
        performer.config.performer
    ).read_bytes()


@pytest.mark.usefixtures("submitted")
def test_a_finished_set_submits_nothing(cloud, flagfile):
    said = runners.extract(
        command(cloud, flagfile, "features", f"--sdk_container_image={IMAGE}"), cloud.folder / "again.log"
    )
    assert "is complete" in said
    assert len(cloud.api.jobs) == 1


@pytest.fixture(name="wheel", scope="module")
def _wheel(tmp_path_factory):
    """What `make package` builds, of code that leaves a mark where it is imported."""
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "project"  # Building leaves things behind.
    project.mkdir()
    for name in ("tf_explainer", "pipelines"):
        shutil.copytree(services.ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(services.ROOT / name, project)
    with (project / "pipelines" / "extraction" / "shard_writer.py").open("a") as module:
        module.write("\nimport pathlib\n\npathlib.Path(__file__).with_suffix('.imported').touch()\n")
    options = ["--no-deps", "--no-build-isolation", f"--wheel-dir={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", *options, str(project)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.usefixtures("submitted")
def test_a_package_brings_the_code_to_workers_without_it(
    cloud, flagfile, wheel, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(cloud, "code", None)
    monkeypatch.setattr(cloud, "folder", tmp_path)
    said = runners.extract(
        command(cloud, flagfile, "by-package", f"--extra_package={wheel}"), tmp_path / "log"
    )
    balance = said.splitlines()[1]
    assert balance.startswith(f"{NUM_IMAGES} images in = {NUM_IMAGES - 1} records + 1 dead letters")
    assert (tmp_path / "site" / "pipelines" / "extraction" / "shard_writer.imported").exists()
    check_features("by-package", expected, tmp_path / "there")
    (pool,) = cloud.api.jobs[-1].environment.worker_pools
    assert pool.worker_harness_container_image.startswith("gcr.io/cloud-dataflow/v1beta3/beam_python3")


@pytest.mark.usefixtures("submitted")
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("Traceback: UserError: the performer was replaced", "Error: the performer was replaced"),
        (
            "The zone has no GPU left",
            "Error: Google Cloud Dataflow: .* FAILED, Error:\nThe zone has no GPU left",
        ),
    ],
)
def test_a_job_that_fails_says_why(cloud, flagfile, tmp_path, monkeypatch, failure, told):
    monkeypatch.setattr(cloud, "failure", failure)
    arguments = command(cloud, flagfile, "failed", f"--sdk_container_image={IMAGE}")
    with pytest.raises(RuntimeError, match=f"{told}\n$"):
        runners.extract(arguments, tmp_path / "log")


@pytest.mark.usefixtures("submitted")
def test_a_launcher_describes_the_job_and_submits_nothing(cloud, flagfile, performer, tmp_path):
    """A launcher knows the binary as a file; all that it is given lies in buckets."""
    before, template = len(cloud.api.jobs), f"{BUCKET}/templates/1"
    remote = f"{BUCKET}/mine/small.keras"
    atomic_files.publish_file(performer.config.performer, remote)
    said = runners.extract(
        command(
            cloud,
            flagfile,
            "by-template",
            f"--sdk_container_image={IMAGE}",
            f"--template_location={template}",
            f"--workdir={BUCKET}/by-template",
            f"--performer={remote}",
        ),
        tmp_path / "log",
        program=["pipelines/extract_features.py"],
    )
    decided, described = said.splitlines()
    assert decided.startswith(DECIDED)
    assert described == "The job is described; the launcher of the template submits it."
    assert len(cloud.api.jobs) == before
    job = dataflow.Job.from_json(atomic_files.read_text(template))
    assert job.environment.sdk_pipeline_options["options"]["pipelineUrl"].startswith(
        f"{BUCKET}/by-template-staged/"
    )
    check_launched(staged_job.run(staged_job.pipeline(job, tmp_path), services.ROOT))


def check_launched(counters):
    computed = [each["scalar"] for each in counters if each["name"]["name"] == "computed"]
    assert sum(computed) == 2 * (NUM_IMAGES - 1)  # Once as tentative.
