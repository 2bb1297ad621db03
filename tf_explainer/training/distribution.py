"""Selects the devices that training runs on, and divides each batch among them."""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from absl import logging

from tf_explainer.errors import UserError

Division = Callable[[tf.data.Dataset], tf.data.Dataset]
_TF_CONFIG = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
_NVIDIA_DRIVER = pathlib.Path("/proc/driver/nvidia/version")


def strategy_named(name: str, logical_cpus: int = 0) -> tf.distribute.Strategy:
    """Returns a distribution strategy; call this before anything else uses TensorFlow.

    Args:
        name: `mirrored` (all GPUs, or the only device), `multi_worker` or `one_device`.
        logical_cpus: for `mirrored`: number of logical devices to split the CPU into; 0 uses the GPUs, or the
            CPU as a single device.

    Raises:
        UserError: the devices are not available, or TensorFlow is already running and cannot split the CPU.
    """
    if logical_cpus and name != "mirrored":
        raise UserError(
            f"--logical_cpus={logical_cpus} is for --strategy=mirrored, not for --strategy={name}"
        )
    if name == "multi_worker":
        return _multi_worker_strategy()
    if logical_cpus:
        return _logical_cpu_strategy(logical_cpus)
    if name == "mirrored" and len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return _one_device_strategy()


def _logical_cpu_strategy(logical_cpus: int) -> tf.distribute.Strategy:
    (cpu,) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * logical_cpus
        )
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < logical_cpus:
            raise UserError(f"--logical_cpus={logical_cpus}: {error}") from error
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(logical_cpus)])


def _one_device_strategy() -> tf.distribute.Strategy:
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.OneDeviceStrategy("GPU:0")
    if _NVIDIA_DRIVER.exists() and "CUDA_VISIBLE_DEVICES" not in os.environ:
        logging.warning(
            "TensorFlow uses the CPU: it cannot use a GPU, although an NVIDIA driver is installed. "
            "Set TF_CPP_MIN_LOG_LEVEL=0 in the environment to see why"
        )
    return tf.distribute.OneDeviceStrategy("CPU:0")


def _multi_worker_strategy() -> tf.distribute.Strategy:
    if mistake := _mistake(os.environ.get("TF_CONFIG", "")):
        raise UserError(
            f"--strategy=multi_worker needs the environment variable TF_CONFIG, which {mistake}: set it in "
            f"every process, each with its own index, such as TF_CONFIG='{_TF_CONFIG}'"
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _mistake(text: str) -> str | None:
    """Returns what is wrong with a value of TF_CONFIG; None if it is valid."""
    if not text.strip():
        return "is not set"
    try:
        configuration = json.loads(text)
    except ValueError as error:
        return f"is not valid JSON ({error}): {text!r}"
    cluster, task = (_part(configuration, name) for name in ("cluster", "task"))
    workers, index = cluster.get("worker"), task.get("index")
    if not isinstance(workers, list) or not workers:
        return f'has no list of workers, "cluster": {{"worker": ["HOST:PORT", ...]}}: {text!r}'
    if without_port := [worker for worker in workers if not re.fullmatch(r".+:\d+", str(worker))]:
        return f"names a worker without a port, {without_port[0]!r}"
    if len(set(workers)) < len(workers):
        return f"names a worker twice, {max(workers, key=workers.count)!r}"
    if task.get("type") != "worker":
        return f'has the task type {task.get("type")!r}; only "worker" is supported'
    if type(index) is not int or not 0 <= index < len(workers):
        return f"has the task index {index!r}; the {len(workers)} workers have 0 to {len(workers) - 1}"
    return None


def _part(configuration: Any, name: str) -> dict[str, Any]:
    part = configuration.get(name) if isinstance(configuration, dict) else None
    return part if isinstance(part, dict) else {}


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this is the process that writes files."""
    resolver = strategy.cluster_resolver
    return (
        resolver is None or not resolver.task_type or (resolver.task_type, resolver.task_id) == ("worker", 0)
    )


def distribute(
    strategy: tf.distribute.Strategy, batches: Callable[[Division], tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Divides every batch evenly among the replicas and prefetches the shares to their devices.

    TensorFlow's own division rounds up and can leave the last replica without an image, on which its CPU
    convolutions fail. Here, shares differ by at most one image. A last batch with fewer images than replicas
    repeats some of its images, so that every replica gets one.

    Args:
        strategy: the replicas, in one process or several; every process reads the same batches in the same
            order and keeps its own shares.
        batches: called with the function that divides a dataset of batches; returns the divided dataset of
            dictionaries of tensors `[B, ...]`, with the same B within a batch.

    Returns:
        A dataset of per-replica dictionaries, in the order of the batches.
    """

    def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * here
        shares = batches(lambda dataset: _divided(dataset, context.num_replicas_in_sync, first, here))
        return shares.prefetch(2 * here)

    return strategy.distribute_datasets_from_function(of_process)


def _divided(batches: tf.data.Dataset, replicas: int, first: int, here: int) -> tf.data.Dataset:
    """Replaces every batch with the shares of the replicas `first` to `first + here - 1`."""

    def shares(batch: dict[str, tf.Tensor]) -> tf.data.Dataset:
        images = tf.shape(next(iter(batch.values())))[0]
        order = tf.range(tf.maximum(images, replicas)) % images
        bounds = tf.range(replicas + 1) * tf.size(order) // replicas

        def share(replica: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = order[bounds[replica] : bounds[replica + 1]]
            return {name: tf.gather(values, rows) for name, values in batch.items()}

        return tf.data.Dataset.range(first, first + here).map(share)

    return batches if replicas == 1 else batches.flat_map(shares)
