"""Sums and maxima over all replicas of a distributed step.

This is the one place where layers and losses meet distribution. Outside of a replica context, and on
backends other than TensorFlow, there is one replica and every function is the identity.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def _context() -> Any:
    """Returns TensorFlow's replica context where several replicas are in sync, else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def replicas() -> int:
    """Returns the number of replicas in sync."""
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def total(x: Any) -> Any:
    """Returns the sum over replicas; its gradient is the sum of theirs.

    Args:
        x: a tensor of any shape, the same on all replicas, or a list of such.
    """
    context = _context()
    return x if context is None else context.all_reduce("SUM", x)


def maximum(x: Any) -> Any:
    """Returns the element-wise maximum of `x`, of any shape, over replicas, float32, without a gradient."""
    x = ops.cast(ops.stop_gradient(x), "float32")  # Collectives take no bfloat16.
    context = _context()
    return x if context is None else ops.max(context.all_gather(x[None], axis=0), axis=0)


def mean_over_images(x: Any) -> Any:
    """Returns the mean over the batches of all replicas.

    Args:
        x: `[B, ...]` with this replica's images first; B may differ between replicas, and be 0.

    Returns:
        `[...]` float32, the same on every replica.
    """
    x = ops.cast(x, "float32")
    return total(ops.sum(x, axis=0)) / total(image_count(x))


def image_count(x: Any) -> Any:
    """Returns this replica's number of images, a float32 scalar, from a tensor `[B, ...]`."""
    return ops.cast(ops.shape(x)[0], "float32")
