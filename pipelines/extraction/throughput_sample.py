"""Measures the speed and the size of an extraction on a sample of its images."""

from __future__ import annotations

import dataclasses
import itertools
import random
import tempfile
import time

import numpy as np

from pipelines.extraction.feature_extraction import FeatureExtraction
from pipelines.extraction.shard_writer import Predict, ShardWriter
from tf_explainer.datasets.source import ImageSource, SequentialSource
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageReference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """The measurement.

    Attributes:
        total: number of images in the data set (an upper bound for sequential sources).
        images: number of measured images.
        dead_letters: number of measured images that cannot be used.
        seconds: from reading to the finished shard, without loading the performer and its first batch.
        bytes: size of the shard.
    """

    total: int
    images: int
    dead_letters: int
    seconds: float
    bytes: int

    @property
    def images_per_second(self) -> float:
        """Rate of one process on this machine."""
        return self.images / self.seconds

    @property
    def total_bytes(self) -> float:
        """Estimated size of all shards, if the sample is like the rest."""
        return self.bytes / self.images * self.total


def measure(extraction: FeatureExtraction, predict: Predict, images: int) -> Sample:
    """Runs some images through the extraction's own code, into a temporary directory.

    Args:
        extraction: what to measure; nothing is written to its directory.
        predict: the performer: uint8 crops `[B, S, S, 3]` to each layer's features and the scores, by name.
        images: maximum number of images.

    Raises:
        UserError: the data set holds no image.
    """
    total, references = _choose(extraction.source, images)
    if not references:
        raise UserError("the data set holds no image")
    size, batch_size = extraction.shards.image_size, extraction.shards.batch_size
    predict(np.zeros((min(batch_size, len(references)), size, size, 3), np.uint8))
    with tempfile.TemporaryDirectory() as directory:
        settings = dataclasses.replace(extraction.shards, features_dir=directory)
        writer = ShardWriter(settings, extraction.source, predict, lambda *_: None)
        start = time.perf_counter()
        report = writer.write(0, references)
        seconds = time.perf_counter() - start
    return Sample(
        total=total,
        images=len(references),
        dead_letters=len(report.dead_letters),
        seconds=seconds,
        bytes=report.shard.bytes,
    )


def _choose(source: ImageSource, images: int) -> tuple[int, list[ImageReference]]:
    """Returns the number of all images and a reproducible sample of them, sorted by id."""
    if isinstance(source, SequentialSource):
        # The first ones: a later image requires reading everything before it.
        sample, total = list(itertools.islice(source.references(), images)), source.at_most()
    else:
        # Reservoir sampling.
        sample, total, chance = [], 0, random.Random(0)
        for total, reference in enumerate(source.references(), start=1):
            index = total - 1 if total <= images else chance.randrange(total)
            if index < images:
                sample[index : index + 1] = [reference]
    return total, sorted(sample, key=lambda reference: reference.id)
