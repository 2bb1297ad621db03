#!/usr/bin/env python
"""Starts one Beam worker, where a runner asks for it by `--environment_type=PROCESS`.

Beam's Python package brings a pool of workers, but no such program. A pool serves one task manager of
Flink: two number their workers alike, and then each stops the other's.
"""

import argparse
import os

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
from google.protobuf import json_format, text_format


def main() -> None:
    """Asks the runner what to do, and does it until the runner is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    arguments, _ = parser.parse_known_args()
    os.environ["WORKER_ID"] = arguments.id
    channel = grpc.intercept_channel(
        grpc.insecure_channel(arguments.provision_endpoint), WorkerIdInterceptor(arguments.id)
    )
    provision = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
    info = provision.GetProvisionInfo(beam_provision_api_pb2.GetProvisionInfoRequest()).info
    os.environ["PIPELINE_OPTIONS"] = json_format.MessageToJson(info.pipeline_options)
    os.environ["CONTROL_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.control_endpoint)
    os.environ["LOGGING_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.logging_endpoint)
    sdk_worker_main.main([])


if __name__ == "__main__":
    main()
