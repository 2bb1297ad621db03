#!/usr/bin/env python
"""Starts a single Beam worker, for runners with `--environment_type=PROCESS`.

Beam's Python package has a program for a pool of workers, but none for a single worker. A pool can serve only
one task manager of Flink: two would give their workers the same numbers, and each would stop the other's.
"""

import argparse
import os

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
from google.protobuf import json_format, text_format


def main() -> None:
    """Gets the runner's settings, and works until the runner ends."""
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
