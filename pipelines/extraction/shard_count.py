"""How many shards a feature set gets where nobody says so.

A shard is computed by one worker, its names are held in memory, and it is lost as a whole when the worker
dies: so larger sets have more shards, not larger ones.
"""

from __future__ import annotations

from pipelines.feature_set import feature_set
from tf_explainer.datasets.source import ImageSource, SequentialSource

IMAGES_A_SHARD = 1000
_LEAST = 16


def shard_count(asked: int, source: ImageSource, features_dir: str) -> int:
    """Returns how many shards there are.

    That is what is asked for; else what the directory was claimed with, so that a set which has grown is
    still the same one; else one for each thousand of images, but no fewer than 16.

    Args:
        asked: by the settings; 0: nothing is.
        source: the images; they are counted only where that is needed.
        features_dir: of the set.
    """
    return asked or feature_set.claimed_shards(features_dir) or _suitable(number_of_images(source))


def number_of_images(source: ImageSource) -> int:
    """Counts the images; where that means reading all files, those of classes that take no part too."""
    return source.at_most() if isinstance(source, SequentialSource) else sum(1 for _ in source.references())


def _suitable(images: int) -> int:
    return max(_LEAST, -(-images // IMAGES_A_SHARD))
