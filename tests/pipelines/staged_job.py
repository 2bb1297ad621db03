"""Runs a job for Dataflow from what was staged of it, on workers of this machine."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_job_api_pb2, beam_runner_api_pb2, metrics_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from google.cloud import dataflow

from pipelines.feature_set import atomic_files
from tests.pipelines import services

_STATES = beam_job_api_pb2.JobState


def pipeline(job: dataflow.Job, folder: pathlib.Path) -> beam_runner_api_pb2.Pipeline:
    """Fetches the steps of a job from where they were staged."""
    local = folder / "pipeline.pb"
    atomic_files.fetch_file(job.environment.sdk_pipeline_options["options"]["pipelineUrl"], str(local))
    return beam_runner_api_pb2.Pipeline.FromString(local.read_bytes())


def artifacts(steps: beam_runner_api_pb2.Pipeline) -> dict[str, str]:
    """Where what workers are to get was staged, by the name that it is to have on a worker."""
    staged = {}
    for environment in steps.components.environments.values():
        for dependency in environment.dependencies:
            assert dependency.type_urn == common_urns.artifact_types.URL.urn
            role = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(dependency.role_payload)
            url = beam_runner_api_pb2.ArtifactUrlPayload.FromString(dependency.type_payload).url
            staged[role.staged_name] = url
    return staged


def install(steps: beam_runner_api_pb2.Pipeline, folder: pathlib.Path) -> pathlib.Path:
    """Installs the staged packages, all but what they depend on, as a worker does when it boots."""
    staged, site = artifacts(steps), folder / "site"
    site.mkdir()
    for name in atomic_files.read_text(staged["extra_packages.txt"]).split():
        package = folder / name
        atomic_files.fetch_file(staged[name], str(package))
        options = ["--no-index", "--no-deps", "--no-compile", f"--target={site}"]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *options, str(package)], check=True)
    return site


def run(steps: beam_runner_api_pb2.Pipeline, code: pathlib.Path) -> list[dict[str, Any]]:
    """Runs steps by a portable job service and a pool of workers; returns their counters in the API's form.

    Args:
        steps: as they were staged.
        code: where workers find the project.

    Raises:
        RuntimeError: the job failed; the message is what the job service tells.
    """
    with services.job_service() as endpoint, services.worker_pool(code) as pool:
        local = beam_runner_api_pb2.Pipeline.FromString(steps.SerializeToString())
        for environment in local.components.environments.values():
            environment.urn = common_urns.environments.EXTERNAL.urn
            environment.payload = beam_runner_api_pb2.ExternalPayload(
                endpoint={"url": pool}
            ).SerializeToString()
            del environment.dependencies[:]
        handle = PortableRunner().create_job_service(PipelineOptions([f"--job_endpoint={endpoint}"]))
        job_id, messages, states = handle.submit(local)
        state = next(event.state for event in states if event.state in (_STATES.DONE, _STATES.FAILED))
        if state == _STATES.FAILED:
            raise RuntimeError("\n".join(message.message_response.message_text for message in messages))
        request = beam_job_api_pb2.GetJobMetricsRequest(job_id=job_id)
        return list(_counters(handle.job_service.GetJobMetrics(request).metrics.committed))


def _counters(infos: list[metrics_pb2.MonitoringInfo]) -> Iterator[dict[str, Any]]:
    for info in infos:
        if info.urn != monitoring_infos.USER_COUNTER_URN:
            continue
        context = {"namespace": info.labels["NAMESPACE"], "step": info.labels["PTRANSFORM"]}
        for tentative in ({}, {"tentative": "true"}):
            yield {
                "name": {"origin": "user", "name": info.labels["NAME"], "context": context | tentative},
                "scalar": monitoring_infos.extract_counter_value(info),
            }
