import re
import sys

import pytest

from pipelines.dataflow import options
from tf_explainer.errors import UserError

PLACES = {"--data_dir": "gs://b-1/photos", "--features_dir": "gs://b-1/features"}
JOB = {
    "runner": "DataflowRunner",
    "project": "a-project",
    "region": "us-central1",
    "temp_location": "gs://a-bucket/tmp",
    "sdk_container_image": "us-docker.pkg.dev/a-project/images/worker:1",
}


def arguments(*more, **changes):
    return [f"--{name}={value}" for name, value in (JOB | changes).items() if value is not None] + list(more)


def added(given, places=PLACES, **settings):
    completed = options.complete(given, places, **settings)
    assert completed[: len(given)] == given
    return completed[len(given) :]


def test_a_process_a_core_works_at_one_shard():
    assert added(arguments()) == ["--number_of_worker_harness_threads=1"]


def test_a_gpu_belongs_to_one_process():
    assert added(arguments(), accelerator=True) == [
        "--experiments=no_use_multiple_sdk_containers",
        "--number_of_worker_harness_threads=2",
    ]


def test_what_is_given_stays():
    given = arguments("--experiments=use_multiple_sdk_containers", "--number_of_worker_harness_threads=5")
    assert added(given, accelerator=True) == []


def test_another_runner_gets_nothing():
    local = {"--features_dir": "here/x"}
    assert options.complete(["--runner=FlinkRunner"], local, accelerator=True) == ["--runner=FlinkRunner"]


@pytest.mark.parametrize(
    ("given", "places", "named"),
    [
        (arguments(), {}, "--runner=DataflowRunner"),
        (
            ["--runner=FnApiRunner"],
            {"--data_dir": "photos", "--features_dir": "gs://b/x"},
            "--features_dir=gs://b/x",
        ),
    ],
)
def test_a_bucket_without_the_packages_of_google_cloud_is_refused(monkeypatch, given, places, named):
    monkeypatch.setitem(sys.modules, "apache_beam.io.gcp.gcsfilesystem", None)
    with pytest.raises(UserError, match=rf"^{named} needs Google Cloud's packages.*make setup WITH=gcp"):
        options.complete(given, places)


@pytest.mark.parametrize("name", ["project", "region", "temp_location"])
def test_what_is_missing_is_named(name):
    with pytest.raises(UserError, match=rf"needs --{name}=.*docs/dataflow.md"):
        added(arguments(**{name: None}))


@pytest.mark.parametrize("name", ["temp_location", "staging_location"])
@pytest.mark.parametrize("value", ["tmp", "gs://A_bucket/x", "gs://", "s3://a-bucket/x"])
def test_a_wrong_bucket_is_refused_before_beam_makes_another(name, value):
    with pytest.raises(UserError, match=re.escape(f"--{name}={value} is not a path in a bucket")):
        added(arguments(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", "us-central1-a"),
        ("region", "US"),
        ("sdk_container_image", "https://gcr.io/a-project/worker"),
        ("sdk_container_image", "worker"),
        ("sdk_container_image", "gcr.io/a-project/Worker:1"),
        ("sdk_container_image", "gcr.io/a-project/worker:1:2"),
    ],
)
def test_what_cannot_be_a_name_is_refused(name, value):
    with pytest.raises(UserError, match=re.escape(f"--{name}={value} is not the name of")):
        added(arguments(**{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", "northamerica-northeast1"),
        ("region", "europe-west12"),
        ("sdk_container_image", "gcr.io/a-project/worker"),
        ("sdk_container_image", "registry.example.com:5000/team/worker:1.0_rc"),
        ("sdk_container_image", "gcr.io/a-project/worker@sha256:" + "0" * 64),
        ("sdk_container_image", "apache/beam_python3.11_sdk:2.77.0"),
    ],
)
def test_what_can_be_a_name_passes(name, value):
    added(arguments(**{name: value}))


def test_workers_need_our_code():
    with pytest.raises(UserError, match=r"would not have this project's code.*Dockerfile.*--extra_package"):
        added(arguments(sdk_container_image=None))
    for name in ("extra_package", "setup_file"):
        added(arguments(f"--{name}=dist/x.whl", sdk_container_image=None))


@pytest.mark.parametrize("runner", ["DataflowRunner", "dataflow"])
@pytest.mark.parametrize("flag", list(PLACES))
def test_workers_cannot_reach_local_files(runner, flag):
    added(arguments(runner=runner), PLACES | {"--data_dir": None})
    with pytest.raises(UserError, match=rf"{flag}=here/x is on this machine.*gs://"):
        added(arguments(runner=runner), PLACES | {flag: "here/x"})


def test_a_template_is_known():
    assert not options.is_template(arguments())
    assert options.is_template(arguments("--template_location=gs://a-bucket/templates/1"))
