"""Estimates the bytes, the time and, on Dataflow, the cost of an extraction, each with its formula."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions

from pipelines.dataflow import beam_options
from pipelines.extraction.throughput_sample import Sample
from tf_explainer.config import DryRunConfig
from tf_explainer.errors import UserError

# Dataflow's defaults for a batch job, according to its documentation.
_MACHINE_TYPE, _DISK_GB = "n1-standard-1", 25

# GB of memory per virtual CPU by kind; those of n1 are older.
_MEMORY = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_MEMORY_N1 = {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fleet:
    """The workers of a job.

    Attributes:
        workers: number of workers at once.
        machine_type: name at Compute Engine, FAMILY-KIND-CPUS.
        disk_gb: size of each worker's disk.
    """

    workers: int
    machine_type: str
    disk_gb: int


def dataflow_fleet(arguments: Sequence[str]) -> Fleet | None:
    """Returns the workers that Beam's options ask for, or None if the runner is not Dataflow.

    Raises:
        UserError: the machine type's size is not in its name.
    """
    if not beam_options.is_dataflow(arguments):
        return None
    options = PipelineOptions(list(arguments)).view_as(WorkerOptions)
    fleet = Fleet(
        workers=options.max_num_workers or options.num_workers or 1,
        machine_type=options.machine_type or _MACHINE_TYPE,
        disk_gb=options.disk_size_gb or _DISK_GB,
    )
    machine_size(fleet.machine_type)  # Fails now rather than after the measurement.
    return fleet


def describe(sample: Sample, features_dir: str) -> list[str]:
    """Returns lines for the user: size and time of the extraction in one process."""
    rate, size = f"{sample.images_per_second:.1f} images/s", f"{sample.bytes / sample.images:,.0f} bytes"
    dead = f", {sample.dead_letters} of them cannot be used" if sample.dead_letters else ""
    time = _duration(sample.total / sample.images_per_second)
    return [
        f"{sample.total:,} images. Nothing was written to {features_dir}.",
        f"Measured on {sample.images} of them: {rate} in one process on this machine, {size} an image{dead}.",
        f"Size: {sample.total:,} images x {size} = {sample.total_bytes / 1e9:.3g} GB",
        f"Time: {sample.total:,} images / {rate} = {time} in one process, once its performer is loaded",
    ]


def describe_cost(sample: Sample, fleet: Fleet, num_shards: int, prices: DryRunConfig) -> list[str]:
    """Returns lines for the user: time and cost on Dataflow.

    Raises:
        UserError: the machine type's size is not in its name.
    """
    # A shard is computed by one worker.
    workers, rate = min(fleet.workers, num_shards), sample.images_per_second
    hours = sample.total / (rate * workers) / 3600
    price, formula = _worker_hour(fleet, prices)
    return [
        f"Dataflow: {workers} workers {fleet.machine_type} (of {fleet.workers}; {num_shards} shards), each "
        "assumed to be as fast as one process on this machine",
        "  hours = images / (images/s x workers) / 3600 "
        f"= {sample.total:,} / ({rate:.1f} x {workers}) / 3600 = {hours:.3g}",
        f"  price of a worker-hour = {formula} = {price:.3g} USD",
        f"  cost = hours x workers x price = {hours:.3g} x {workers} x {price:.3g} "
        f"= {hours * workers * price:.2f} USD",
        "  Not included: the minutes that workers take to start and load the performer; shuffle, storage, "
        "network.",
        "  Unless you set --price_vcpu_hour, --price_memory_gb_hour, --price_disk_gb_hour and "
        "--price_accelerator_hour, these are list prices for us-central1 as known in 2025: compare them with "
        "https://cloud.google.com/dataflow/pricing",
    ]


def _worker_hour(fleet: Fleet, prices: DryRunConfig) -> tuple[float, str]:
    """Returns the price of one worker for an hour, and its formula."""
    cpus, memory = machine_size(fleet.machine_type)
    parts = [
        (cpus, "vCPU", prices.price_vcpu_hour),
        (memory, "GB", prices.price_memory_gb_hour),
        (fleet.disk_gb, "GB disk", prices.price_disk_gb_hour),
        (1, "accelerators", prices.price_accelerator_hour),
    ]
    formula = " + ".join(f"{number:g} {unit} x {price:g}" for number, unit, price in parts if price)
    return sum(number * price for number, _, price in parts), formula


def machine_size(machine_type: str) -> tuple[float, float]:
    """Returns the virtual CPUs and the GB of memory of a machine type.

    Raises:
        UserError: the name does not contain them.
    """
    if custom := re.fullmatch(r"(?:\w+-)?custom-(\d+)-(\d+)(?:-ext)?", machine_type):
        return float(custom[1]), int(custom[2]) / 1024
    if match := re.fullmatch(r"(\w+)-(standard|highmem|highcpu)-(\d+)", machine_type):
        family, kind, cpus = match.groups()
        return float(cpus), float(cpus) * (_MEMORY_N1 if family == "n1" else _MEMORY)[kind]
    raise UserError(
        f"--machine_type={machine_type} is a name without a size: for an estimate, name one like "
        "n1-standard-4 or custom-4-16384"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
