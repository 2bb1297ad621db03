"""Sums and maxima over all replicas of a distributed step.

Layers and losses communicate between replicas only through these functions. Outside a replica context, and on
backends other than TensorFlow, there is a single replica: sums and maxima over replicas change nothing.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def _context() -> Any:
    """Returns TensorFlow's replica context if several replicas are in sync, else None."""
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
    """Returns the sum over replicas; its gradient is the sum of the replicas' gradients.

    Args:
        x: a tensor of any shape, the same shape on all replicas, or a list of such tensors.
    """
    context = _context()
    return x if context is None else context.all_reduce("SUM", x)


def maximum(x: Any) -> Any:
    """Returns the element-wise maximum over replicas, float32, without a gradient; `x` has any shape."""
    x = ops.cast(ops.stop_gradient(x), "float32")  # Collectives do not support bfloat16.
    context = _context()
    return x if context is None else ops.max(context.all_gather(x[None], axis=0), axis=0)


def mean_over_images(x: Any) -> Any:
    """Returns the mean over the images of all replicas.

    Args:
        x: `[B, ...]`, this replica's images; B may differ between replicas and may be 0.

    Returns:
        `[...]` float32, the same on every replica.
    """
    x = ops.cast(x, "float32")
    return total(ops.sum(x, axis=0)) / total(image_count(x))


def image_count(x: Any) -> Any:
    """Returns B, the number of images of this replica, from a tensor `[B, ...]`, as a float32 scalar."""
    return ops.cast(ops.shape(x)[0], "float32")
