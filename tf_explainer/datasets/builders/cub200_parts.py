"""Caltech-UCSD Birds 200-2011 with its 15 part locations."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from tf_explainer.datasets import cub200, landmarked_image
from tf_explainer.datasets.animal_part import negatives
from tf_explainer.errors import UserError
from tf_explainer.images.record import ImageReference

_SPECIES = 200
_ARCHIVE = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1"
_CITATION = """\
@techreport{WahCUB_200_2011,
  title={The Caltech-UCSD Birds-200-2011 Dataset},
  author={Wah, C. and Branson, S. and Welinder, P. and Perona, P. and Belongie, S.},
  year={2011},
  institution={California Institute of Technology},
  number={CNS-TR-2011-001}
}"""


class Cub200Parts(tfds.core.GeneratorBasedBuilder):
    """Birds with box and landmarks: 200 species as classes, or one class of birds and one of negatives."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: tuple[tfds.core.BuilderConfig, ...] = (
        tfds.core.BuilderConfig(name="species", description="200 classes."),
        tfds.core.BuilderConfig(name="bird", description="One class, and random photographs as negatives."),
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    The archive is downloaded, unless manual_dir holds CUB_200_2011.tgz or the extracted folder CUB_200_2011.
    The configuration `bird` needs random photographs, those of the Animal-Part benchmark's authors:
      git clone https://github.com/zqs1022/interpretableCNN MANUAL_DIR/interpretableCNN
    """

    def _info(self) -> tfds.core.DatasetInfo:
        classes = ("bird", "negative") if self._is_one_category else _SPECIES
        return tfds.core.DatasetInfo(
            builder=self,
            description="Caltech-UCSD Birds 200-2011: 11,788 photographs of birds with 15 part locations.",
            features=landmarked_image.features(classes, cub200.PARTS),
            supervised_keys=("image", "label"),
            homepage="https://www.vision.caltech.edu/datasets/cub_200_2011/",
            citation=_CITATION,
        )

    @property
    def _is_one_category(self) -> bool:
        return self.builder_config.name == "bird"

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        folder = _tables(dl_manager)
        if self._is_one_category:
            photographs = negatives(str(dl_manager.manual_dir), label=1)
            # The benchmark's negatives have no official split: every fifth is a test image.
            train = [negative for index, negative in enumerate(photographs) if index % 5]
            return {
                "train": self._generate_examples(folder, True, train),
                "test": self._generate_examples(folder, False, photographs[::5]),
            }
        names = cub200.species(folder)
        if len(names) != _SPECIES:
            raise UserError(f"{folder}/classes.txt names {len(names)} species, not {_SPECIES}")
        self.info.features["label"].names = names
        return {
            "train": self._generate_examples(folder, True, []),
            "test": self._generate_examples(folder, False, []),
        }

    def _generate_examples(
        self, folder: str, train: bool, others: list[ImageReference]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        birds = cub200.references(folder, train=train)
        if self._is_one_category:
            birds = (dataclasses.replace(bird, label=0) for bird in birds)
        yield from landmarked_image.examples(birds)
        yield from landmarked_image.examples(others)


def _tables(dl_manager: tfds.download.DownloadManager) -> str:
    """Returns the folder of the archive: from manual_dir, or else downloaded and extracted."""
    try:
        folder = os.path.join(dl_manager.manual_dir, "CUB_200_2011")
    except AssertionError:  # There is no manual_dir, which is optional.
        folder = ""
    if not os.path.isdir(folder):
        folder = os.path.join(dl_manager.download_and_extract(_ARCHIVE), "CUB_200_2011")
    return folder
