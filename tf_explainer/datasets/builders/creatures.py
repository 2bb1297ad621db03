"""The drawn animals as files, for other programs; `--dataset=creatures` draws them directly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import landmarked_image
from tf_explainer.datasets.creatures.source import open_creatures
from tf_explainer.images.record import UnreadableImageError

_SOURCE = open_creatures(DatasetConfig(dataset="creatures"))


class Creatures(tfds.core.GeneratorBasedBuilder):
    """600 pictures of four species and of landscapes without an animal, drawn with seed 0."""

    VERSION = tfds.core.Version("3.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Drawn animals whose head, legs and tail move independently, with exact landmarks.",
            features=landmarked_image.features(_SOURCE.classes, _SOURCE.landmark_names),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for reference, record in _SOURCE.read(_SOURCE.references()):
            assert not isinstance(record, UnreadableImageError)
            height, width = record.image.shape[:2]
            yield reference.id, landmarked_image.example(reference, record.image, width, height)
