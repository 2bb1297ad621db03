"""Chooses the number of shards of a feature set.

A shard is computed by one worker, which holds its references in memory; when the worker dies, the entire
shard is lost. So larger sets have more shards, not larger ones.
"""

from __future__ import annotations

from pipelines.feature_set import feature_set
from tf_explainer.datasets.source import ImageSource, SequentialSource

IMAGES_A_SHARD = 1000
_LEAST = 16


def shard_count(asked: int, source: ImageSource, features_dir: str) -> int:
    """Returns the number of shards.

    If the settings give none, it is the number with which the directory was claimed, so that a data set may
    grow; else one shard for each thousand images, but at least 16.

    Args:
        asked: the number in the settings; 0: none.
        source: the images, which are counted only if necessary.
        features_dir: of the set.
    """
    if number := asked or feature_set.claimed_shards(features_dir):
        return number
    return max(_LEAST, -(-number_of_images(source) // IMAGES_A_SHARD))


def number_of_images(source: ImageSource) -> int:
    """Returns the number of images; of a sequential source, including those of classes that are not used."""
    return source.at_most() if isinstance(source, SequentialSource) else sum(1 for _ in source.references())
