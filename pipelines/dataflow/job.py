"""Describes a Dataflow job for the person who is about to submit it."""

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

# Dataflow refuses a larger description of a job.
_MAX_BYTES = 10_000_000


def describe(job: Any, num_shards: int) -> list[str]:
    """Returns lines that describe what would be submitted.

    Args:
        job: `apiclient.Job` of Beam's dry run.
        num_shards: number of shards of the features.
    """
    options, pipeline = job.options, job.proto_pipeline
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    kind = json.loads(job.json())["type"].removeprefix("JOB_TYPE_").lower()
    python = platform.python_version()
    rows = {
        "job": f"{cloud.job_name} ({kind})",
        "project, region": f"{cloud.project}, {cloud.region}",
        "staged to": cloud.staging_location,
        "code": _code(options),
        "Python": f"{python} here: workers must have {python.rpartition('.')[0]}, too",
        "machines": f"{worker.machine_type or 'Dataflow chooses'}, {_numbers(worker)}",
        "processes": _processes(options.view_as(DebugOptions)),
        "service account": cloud.service_account_email or "Compute Engine's default in the project",
        "labels": ", ".join(cloud.labels or []) or "none",
        "shards": f"{num_shards}: if there are more threads in all, the others are idle",
        "description": f"{pipeline.ByteSize():,} of {_MAX_BYTES:,} bytes, whatever the number of images",
    }
    lines = [f"{name:16}  {value}" for name, value in rows.items()]
    return [*lines, "steps, with what their workers must have", *(f"  {step}" for step in steps(pipeline))]


def steps(pipeline: beam_runner_api_pb2.Pipeline) -> list[str]:
    """Returns the names of the extraction's steps, in the order of its code, with their resource hints."""
    transforms = pipeline.components.transforms
    (root,) = pipeline.root_transform_ids
    (extraction,) = transforms[root].subtransforms
    return [_step(pipeline.components, step) for step in transforms[extraction].subtransforms]


def _step(components: beam_runner_api_pb2.Components, step: str) -> str:
    hints = sorted(_hints(components, step).items())
    text = ", ".join(f"{urn.split(':')[-2]}={value.decode()}" for urn, value in hints)
    return components.transforms[step].unique_name + (f"  [{text}]" if text else "")


def _hints(components: beam_runner_api_pb2.Components, step: str) -> dict[str, bytes]:
    """Returns the resource hints of a step and of all its sub-steps."""
    transform = components.transforms[step]
    hints: dict[str, bytes] = {}
    if transform.environment_id:
        hints.update(components.environments[transform.environment_id].resource_hints)
    for part in transform.subtransforms:
        hints.update(_hints(components, part))
    return hints


def _code(options: PipelineOptions) -> str:
    setup, image = options.view_as(SetupOptions), options.view_as(WorkerOptions).sdk_container_image
    sent = [*(setup.extra_packages or []), *filter(None, [setup.setup_file])]
    return (image or "Beam's image") + (f", with {', '.join(sent)}" if sent else "")


def _numbers(worker: WorkerOptions) -> str:
    first, most = worker.num_workers or 1, worker.max_num_workers
    return f"{first} at first, " + (f"at most {most}" if most else "no limit: set --max_num_workers")


def _processes(debug: DebugOptions) -> str:
    single = "no_use_multiple_sdk_containers" in (debug.experiments or ())
    threads = debug.number_of_worker_harness_threads
    return f"{'one a machine' if single else 'one a core'}, threads in each: {threads}"
