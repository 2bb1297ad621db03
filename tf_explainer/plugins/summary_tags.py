"""Writes tensors and blobs as summaries that both TensorBoard's fast and slow loaders can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorboard.compat.proto import summary_pb2

_VERSION = b'{"version": 1}'


def write_tensor(plugin: str, tag: str, value: Any, step: int) -> None:
    """Writes a tensor to the default summary writer.

    Args:
        plugin: the plugin that will read it.
        tag: of the summary.
        value: an array or a text.
        step: of the training.
    """
    metadata = _metadata(plugin, summary_pb2.DATA_CLASS_TENSOR)
    tf.summary.write(tag, tf.constant(value), step, metadata=metadata)


def write_blobs(plugin: str, tag: str, blobs: Sequence[bytes], step: int) -> None:
    """Writes a sequence of blobs, each of which can be read separately."""
    metadata = _metadata(plugin, summary_pb2.DATA_CLASS_BLOB_SEQUENCE)
    tf.summary.write(tag, tf.constant(list(blobs), tf.string), step, metadata=metadata)


def _metadata(plugin: str, data_class: Any) -> Any:
    # The fast loader ignores data without a data class.
    plugin_data = summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin, content=_VERSION)
    return summary_pb2.SummaryMetadata(plugin_data=plugin_data, data_class=data_class)
