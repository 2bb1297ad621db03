"""The six animals of PASCAL VOC 2010 with the parts of PASCAL-Part, merged as in ICNN, section 5.2.1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from tf_explainer.datasets import landmarked_image, pascal_part
from tf_explainer.datasets.animal_part import negatives

_CITATION = """\
@inproceedings{chen2014detect,
  title={Detect What You Can: Detecting and Representing Objects using Holistic Models and Body Parts},
  author={Chen, Xianjie and Mottaghi, Roozbeh and Liu, Xiaobai and Fidler, Sanja and Urtasun, Raquel and
          Yuille, Alan},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition},
  year={2014}
}"""


class PascalPartAnimals(tfds.core.GeneratorBasedBuilder):
    """One example for each animal, with its box and merged parts; optionally negatives."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: tuple[tfds.core.BuilderConfig, ...] = (
        tfds.core.BuilderConfig(name="animals", description="Six classes."),
        tfds.core.BuilderConfig(name="with_negatives", description="Six classes and random photographs."),
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    manual_dir must hold two extracted folders: the photographs of PASCAL VOC 2010
    (VOCdevkit/VOC2010/JPEGImages from VOCtrainval_03-May-2010.tar) and the annotations of PASCAL-Part
    (Annotations_Part from trainval.tar.gz):
      http://host.robots.ox.ac.uk/pascal/VOC/voc2010/
      http://roozbehm.info/pascal-parts/pascal-parts.html
    The configuration `with_negatives` needs random photographs, those of the Animal-Part benchmark's authors:
      git clone https://github.com/zqs1022/interpretableCNN MANUAL_DIR/interpretableCNN
    """

    def _info(self) -> tfds.core.DatasetInfo:
        classes = (*pascal_part.ANIMALS, "negative") if self._has_negatives else pascal_part.ANIMALS
        return tfds.core.DatasetInfo(
            builder=self,
            description="Birds, cats, cows, dogs, horses and sheep of PASCAL VOC 2010 with their parts.",
            features=landmarked_image.features(classes, tuple(pascal_part.LANDMARKS)),
            supervised_keys=("image", "label"),
            homepage="http://roozbehm.info/pascal-parts/pascal-parts.html",
            citation=_CITATION,
        )

    @property
    def _has_negatives(self) -> bool:
        return self.builder_config.name == "with_negatives"

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples(str(dl_manager.manual_dir))}

    def _generate_examples(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from landmarked_image.examples(pascal_part.references(folder))
        if self._has_negatives:
            yield from landmarked_image.examples(negatives(folder, label=len(pascal_part.ANIMALS)))
