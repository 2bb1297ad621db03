"""Which devices a training runs on."""

from __future__ import annotations

import tensorflow as tf

from tf_explainer.errors import UserError


def mirrored_strategy(logical_cpus: int = 0) -> tf.distribute.MirroredStrategy:
    """Returns a strategy over all GPUs, over logical CPU devices, or over the one CPU.

    Args:
        logical_cpus: number of logical devices to cut the CPU into; 0 takes the GPUs, or the whole CPU.

    Raises:
        UserError: TensorFlow is already running and can no longer cut the CPU.
    """
    if not logical_cpus:
        return tf.distribute.MirroredStrategy()
    (cpu,) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * logical_cpus
        )
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < logical_cpus:
            raise UserError(f"--logical_cpus={logical_cpus}: {error}") from error
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(logical_cpus)])


def distribute(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset
) -> tf.distribute.DistributedDataset:
    """Divides every batch evenly among the replicas, prefetched to their devices.

    TensorFlow's own division rounds up and can leave the last replica without an image, which its CPU
    convolutions do not survive. Here shares differ by one image at most. A last batch with fewer images than
    there are replicas repeats some of them, so that each replica has one.

    Args:
        strategy: the replicas.
        batches: dictionaries of tensors `[B, ...]`, the same B within a batch.

    Returns:
        A dataset of per-replica dictionaries, with the batches' order.
    """
    replicas = strategy.num_replicas_in_sync

    def shares(batch: dict[str, tf.Tensor]) -> tf.data.Dataset:
        images = tf.shape(next(iter(batch.values())))[0]
        order = tf.range(tf.maximum(images, replicas)) % images
        bounds = tf.range(replicas + 1) * tf.size(order) // replicas

        def share(replica: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = order[bounds[replica] : bounds[replica + 1]]
            return {name: tf.gather(values, rows) for name, values in batch.items()}

        return tf.data.Dataset.range(replicas).map(share)

    if replicas == 1:
        return strategy.experimental_distribute_dataset(batches)
    return strategy.distribute_datasets_from_function(
        lambda _: batches.flat_map(shares).prefetch(2 * replicas)
    )
