"""A job on Dataflow, described for the person who is about to submit it."""

from __future__ import annotations

import json
import platform
from typing import Any

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2

# Dataflow takes no larger description of a job.
_MAX_BYTES = 10_000_000


def describe(job: Any, num_shards: int) -> list[str]:
    """Returns lines that tell what would be submitted.

    Args:
        job: `apiclient.Job` of a dry run of Beam.
        num_shards: of the features.
    """
    options, pipeline = job.options, job.proto_pipeline
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    rows = {
        "job": f"{cloud.job_name} ({_kind(job)})",
        "project, region": f"{cloud.project}, {cloud.region}",
        "staged to": cloud.staging_location,
        "code": _code(options),
        "Python": f"{platform.python_version()} here: the workers' must be {_minor_version()}, too",
        "machines": f"{worker.machine_type or 'Dataflow chooses'}, {_numbers(worker)}",
        "processes": _processes(options.view_as(DebugOptions)),
        "service account": cloud.service_account_email or "the project's default one of Compute Engine",
        "labels": ", ".join(cloud.labels or []) or "none",
        "shards": f"{num_shards}: more threads than that in all would find no work",
        "description": f"{pipeline.ByteSize():,} of {_MAX_BYTES:,} bytes, whatever the number of images",
    }
    lines = [f"{name:16}  {value}" for name, value in rows.items()]
    return [*lines, "steps, with what their workers must have", *(f"  {step}" for step in steps(pipeline))]


def steps(pipeline: beam_runner_api_pb2.Pipeline) -> list[str]:
    """Names the extraction's steps in the order of its code, with what they ask of their workers."""
    transforms = pipeline.components.transforms
    (root,) = pipeline.root_transform_ids
    (extraction,) = transforms[root].subtransforms
    return [_step(pipeline.components, step) for step in transforms[extraction].subtransforms]


def _step(components: beam_runner_api_pb2.Components, step: str) -> str:
    hints = sorted(_hints(components, step).items())
    wants = ", ".join(f"{urn.split(':')[-2]}={value.decode()}" for urn, value in hints)
    return components.transforms[step].unique_name + (f"  [{wants}]" if wants else "")


def _hints(components: beam_runner_api_pb2.Components, step: str) -> dict[str, bytes]:
    """Returns the hints of a step and of all parts of it."""
    transform = components.transforms[step]
    hints: dict[str, bytes] = {}
    if transform.environment_id:
        hints.update(components.environments[transform.environment_id].resource_hints)
    for part in transform.subtransforms:
        hints.update(_hints(components, part))
    return hints


def _kind(job: Any) -> str:
    # In the API's words, JOB_TYPE_BATCH.
    return json.loads(job.json())["type"].rpartition("_")[2].lower()


def _code(options: PipelineOptions) -> str:
    setup, image = options.view_as(SetupOptions), options.view_as(WorkerOptions).sdk_container_image
    sent = [*(setup.extra_packages or []), *filter(None, [setup.setup_file])]
    return f"{image or 'image of Beam'}" + (f", with {', '.join(sent)}" if sent else "")


def _minor_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _numbers(worker: WorkerOptions) -> str:
    first, most = worker.num_workers or 1, worker.max_num_workers
    return f"{first} at first, " + (f"at most {most}" if most else "no bound: set --max_num_workers")


def _processes(debug: DebugOptions) -> str:
    single = "no_use_multiple_sdk_containers" in (debug.experiments or ())
    threads = debug.number_of_worker_harness_threads
    return f"{'one a machine' if single else 'one a core'}, threads in each: {threads}"
