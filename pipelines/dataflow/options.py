"""What a job on Google Cloud Dataflow needs beyond what Beam itself asks for (docs/dataflow.md)."""

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

# Dataflow starts a process a core with many threads each, and each thread would hold a shard open.
_THREADS = 1
# A GPU's memory is not to be shared by processes. One thread reads and writes while another one computes.
_ONE_PROCESS, _THREADS_OF_GPU = "no_use_multiple_sdk_containers", 2


def complete(
    arguments: Sequence[str], places: Mapping[str, str | None], *, accelerator: bool = False
) -> list[str]:
    """Checks the options of a job on Dataflow, and adds what suits an extraction where nothing is said.

    Args:
        arguments: from `beam_options.check`; those of another runner are returned as they are.
        places: where images are read and features are written, by the flag that says so.
        accelerator: whether workers have a GPU.

    Raises:
        UserError: an option is missing or wrong, workers would have no images, features or code of ours, or
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
    """Whether the job is only described, for the launcher of a Flex Template to start it."""
    template = PipelineOptions(list(arguments)).view_as(GoogleCloudOptions).template_location
    return beam_options.is_dataflow(arguments) and template is not None


def _check_packages(needed_by: str) -> None:
    # Beam registers gs:// only where these are, and otherwise takes it for a folder on this machine.
    try:
        importlib.import_module("apache_beam.io.gcp.gcsfilesystem")
    except ImportError as error:
        raise UserError(
            f"{needed_by} needs Google Cloud's packages, which are not installed ({error}):"
            " make setup WITH=gcp, or pip install 'tf-explainer[gcp]'"
        ) from error


def _check_cloud(cloud: GoogleCloudOptions) -> None:
    # Beam would ask gcloud, and make a bucket of its own in place of one that is wrong.
    for name in ("project", "region", "temp_location"):
        if not getattr(cloud, name):
            raise UserError(f"--runner=DataflowRunner needs --{name}=...: {_HELP}")
    if not re.fullmatch(_REGION, cloud.region):
        raise UserError(f"--region={cloud.region} is not the name of a region, such as us-central1")
    for name in ("temp_location", "staging_location"):
        value = getattr(cloud, name)
        if value and PipelineOptionsValidator(cloud, None).validate_gcs_path(cloud, name):
            raise UserError(f"--{name}={value} is no place in a bucket: gs://BUCKET/...")


def _check_places(places: Mapping[str, str | None]) -> None:
    # Workers would take their own disks for this machine's, and what they write there is gone with them.
    for flag, path in places.items():
        if path is not None and FileSystems.get_scheme(path) is None:
            raise UserError(
                f"{flag}={path} is on this machine, where the workers of --runner=DataflowRunner cannot "
                "reach it: name a place in a bucket, gs://..."
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
