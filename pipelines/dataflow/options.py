"""Checks and completes the options of a job on Google Cloud Dataflow (docs/dataflow.md)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

from pipelines.dataflow import beam_options
from tf_explainer.errors import UserError

_HELP = "see docs/dataflow.md"
_REGION = r"[a-z]+-[a-z]+\d+"
_IMAGE = r"[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+(:[\w.-]+|@sha256:[0-9a-f]{64})?"

# By default, Dataflow starts a process for each core, with many threads, each of which would hold a shard.
_THREADS = 1
# Processes should not share a GPU's memory. One thread reads and writes while the other computes.
_ONE_PROCESS, _THREADS_OF_GPU = "no_use_multiple_sdk_containers", 2


def complete(
    arguments: Sequence[str], places: Mapping[str, str | None], *, accelerator: bool = False
) -> list[str]:
    """Checks the options of a job on Dataflow, and adds defaults that suit an extraction.

    Args:
        arguments: from `beam_options.check`; for another runner they are returned unchanged.
        places: paths of what workers read and write, by flag.
        accelerator: whether workers have a GPU.

    Raises:
        UserError: an option is missing or wrong, workers could not reach the paths or would lack our code, or
            Google Cloud's packages are not installed.
    """
    on_dataflow = beam_options.is_dataflow(arguments)
    in_buckets = [f"{flag}={path}" for flag, path in places.items() if (path or "").startswith("gs://")]
    if on_dataflow or in_buckets:
        _check_packages(in_buckets[0] if in_buckets else "--runner=DataflowRunner")
    if not on_dataflow:
        return list(arguments)
    options = PipelineOptions(list(arguments))
    _check_cloud(options.view_as(GoogleCloudOptions))
    _check_places(places)
    _check_code(options)
    return [*arguments, *_defaults(options.view_as(DebugOptions), accelerator)]


def is_template(arguments: Sequence[str]) -> bool:
    """Returns whether the job is only described, so that the launcher of a Flex Template starts it."""
    template = PipelineOptions(list(arguments)).view_as(GoogleCloudOptions).template_location
    return beam_options.is_dataflow(arguments) and template is not None


def _check_packages(needed_by: str) -> None:
    # Without these packages, Beam does not register gs:// and takes it for a folder on this machine.
    try:
        importlib.import_module("apache_beam.io.gcp.gcsfilesystem")
    except ImportError as error:
        raise UserError(
            f"{needed_by} needs Google Cloud's packages, which are not installed ({error}):"
            " make setup WITH=gcp, or pip install 'tf-explainer[gcp]'"
        ) from error


def _check_cloud(cloud: GoogleCloudOptions) -> None:
    # Otherwise Beam would ask gcloud, and replace a wrong bucket by a new one.
    for name in ("project", "region", "temp_location"):
        if not getattr(cloud, name):
            raise UserError(f"--runner=DataflowRunner needs --{name}=...: {_HELP}")
    if not re.fullmatch(_REGION, cloud.region):
        raise UserError(f"--region={cloud.region} is not the name of a region, such as us-central1")
    for name in ("temp_location", "staging_location"):
        value = getattr(cloud, name)
        if value and PipelineOptionsValidator(cloud, None).validate_gcs_path(cloud, name):
            raise UserError(f"--{name}={value} is not a path in a bucket: gs://BUCKET/...")


def _check_places(places: Mapping[str, str | None]) -> None:
    # Workers would use their own disks instead, which are deleted with them.
    for flag, path in places.items():
        if path is not None and FileSystems.get_scheme(path) is None:
            raise UserError(
                f"{flag}={path} is on this machine, where the workers of --runner=DataflowRunner cannot "
                "reach it: name a path in a bucket, gs://..."
            )


def _check_code(options: PipelineOptions) -> None:
    setup, image = options.view_as(SetupOptions), options.view_as(WorkerOptions).sdk_container_image
    if image and not re.fullmatch(_IMAGE, image):
        raise UserError(
            f"--sdk_container_image={image} is not the name of an image, such as "
            "us-central1-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG"
        )
    if not (image or setup.extra_packages or setup.setup_file or setup.prebuild_sdk_container_engine):
        raise UserError(
            "the workers of --runner=DataflowRunner would not have this project's code: name an image that "
            "has it, --sdk_container_image=... (pipelines/Dockerfile), or send it along: `make package`, "
            f"--extra_package=dist/...whl; {_HELP}"
        )


def _defaults(debug: DebugOptions, accelerator: bool) -> list[str]:
    experiments = debug.experiments or ()
    added = []
    if accelerator and not any(each.endswith("use_multiple_sdk_containers") for each in experiments):
        added.append(f"--experiments={_ONE_PROCESS}")
    if debug.number_of_worker_harness_threads is None:
        threads = _THREADS_OF_GPU if accelerator else _THREADS
        added.append(f"--number_of_worker_harness_threads={threads}")
    return added
