"""The ILSVRC 2013 DET Animal-Part benchmark, prepared from its two published repositories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import landmarked_image
from tf_explainer.datasets.animal_part import LANDMARK_FILES, SYNSETS, open_animal_part

_CLASSES = (*SYNSETS, "negative")
_CITATION = """\
@inproceedings{zhang2018interpretable,
  title={Interpretable Convolutional Neural Networks},
  author={Zhang, Quanshi and Wu, Ying Nian and Zhu, Song-Chun},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2018}
}"""


class IlsvrcAnimalPart(tfds.core.GeneratorBasedBuilder):
    """30 animals with head and frontal legs as landmarks, and random photographs as negatives."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    manual_dir must hold both repositories of the benchmark's authors:
      git clone https://github.com/zqs1022/detanimalpart    MANUAL_DIR/detanimalpart
      git clone https://github.com/zqs1022/interpretableCNN MANUAL_DIR/interpretableCNN
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="The ILSVRC 2013 DET Animal-Part benchmark: animals, their boxes, heads and legs.",
            features=landmarked_image.features(_CLASSES, tuple(LANDMARK_FILES)),
            supervised_keys=("image", "label"),
            homepage="https://github.com/zqs1022/detanimalpart",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples(str(dl_manager.manual_dir))}

    def _generate_examples(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        source = open_animal_part(DatasetConfig(dataset=self.name, data_dir=folder))
        absent = sorted(set(_CLASSES) - set(source.classes))
        if absent:
            logging.warning("%s lacks %d of the 30 animals: %s", folder, len(absent), ", ".join(absent))
        for key, values in landmarked_image.examples(source.references()):
            yield key, values | {"label": source.classes[values["label"]]}
