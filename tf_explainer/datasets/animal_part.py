"""The ILSVRC 2013 DET Animal-Part benchmark, in the layout in which its authors publish it.

    DATA_DIR/detanimalpart/<synset>_obj/img/img/NNNNN.jpg     one object per image
    DATA_DIR/detanimalpart/<synset>_obj/img/data.mat          its box
    DATA_DIR/interpretableCNN/code/data_input/data_input_DET-2015-subset-ILSVRC2013train/<synset>/
        truth_part01.mat, truth_part02.mat                    landmarks: head, frontal legs
    DATA_DIR/interpretableCNN/data/neg/*.JPEG                 random photographs, the negatives

Both are GitHub repositories of zqs1022, published with Q. Zhang, Y. N. Wu, S.-C. Zhu,
*Interpretable Convolutional Neural Networks*, CVPR 2018.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories, decode, matlab
from tf_explainer.datasets.source import HashedShards, ReadResult
from tf_explainer.errors import UserError
from tf_explainer.images.crop import clip_to_image
from tf_explainer.images.record import Box, ImageReference, Landmark, UnreadableImageError

SYNSETS = {
    "goldfish": "n01443537",
    "bird": "n01503061",
    "frog": "n01639765",
    "turtle": "n01662784",
    "lizard": "n01674464",
    "koala": "n01882714",
    "lobster": "n01982650",
    "dog": "n02084071",
    "fox": "n02118333",
    "cat": "n02121808",
    "lion": "n02129165",
    "tiger": "n02129604",
    "bear": "n02131653",
    "rabbit": "n02324045",
    "hamster": "n02342885",
    "squirrel": "n02355227",
    "horse": "n02374451",
    "zebra": "n02391049",
    "swine": "n02395003",
    "hippopotamus": "n02398521",
    "cattle": "n02402425",
    "sheep": "n02411705",
    "antelope": "n02419796",
    "camel": "n02437136",
    "otter": "n02444819",
    "armadillo": "n02454379",
    "monkey": "n02484322",
    "elephant": "n02503517",
    "red panda": "n02509815",
    "giant panda": "n02510455",
}
"""The 30 categories of the benchmark."""

LANDMARK_FILES = {"head": "truth_part01.mat", "frontal_legs": "truth_part02.mat"}
_ALIASES = {"panda": "giant panda", "koala bear": "koala", "domestic cat": "cat", "hippo": "hippopotamus"}
_LANDMARKS = "interpretableCNN/code/data_input/data_input_DET-2015-subset-ILSVRC2013train"
_NEGATIVES = "interpretableCNN/data/neg"
_CROP = 224  # side, in pixels, of the crops that landmarks were annotated on


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnimalPart(HashedShards):
    """The benchmark, or some of its categories; see `source.ImageSource`.

    Attributes:
        data_dir: the folder that holds both repositories.
        synsets: WordNet ids by label, without the negative class.
        classes: names by label.
        all_classes: names of all categories on disk, then the negative class.
        negative_class: the last class, or None.
        landmark_names: `head`, and the other keys of `LANDMARK_FILES` that some category has.
    """

    data_dir: str
    synsets: tuple[str, ...]
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    negative_class: str | None
    landmark_names: tuple[str, ...]

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference, category by category, then the negatives.

        Raises:
            UserError: an annotation file is missing, damaged or too short.
        """
        for label, synset in enumerate(self.synsets):
            yield from self._references_of(label, synset)
        if self.negative_class is not None:
            yield from negatives(self.data_dir, label=len(self.classes) - 1)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields each record, or why it cannot be read, in the order of the references."""
        return decode.read_files(references, upright=False)  # boxes refer to the pixels as stored

    def _references_of(self, label: int, synset: str) -> Iterator[ImageReference]:
        boxes = _boxes(_box_file(self.data_dir, synset))
        truths = self._truths(synset, len(boxes))
        folder = os.path.join(os.path.dirname(_box_file(self.data_dir, synset)), "img")
        for index, box in enumerate(boxes):
            path = os.path.join(folder, f"{index + 1:05d}.jpg")
            with contextlib.suppress(UnreadableImageError):  # `read` reports the reason.
                box = clip_to_image(box, *decode.size_in_pixels(path))
            yield ImageReference(
                id=f"{synset}/{index + 1:05d}",
                label=label,
                location=path,
                box=box,
                landmarks={
                    name: landmark
                    for name, truth in truths.items()
                    if (landmark := _landmark(truth[index], box))
                },
            )

    def _truths(self, synset: str, count: int) -> dict[str, list[dict[str, Any]]]:
        truths = {}
        for name in self.landmark_names:
            path = _landmark_file(self.data_dir, synset, name)
            if name != "head" and not os.path.isfile(path):
                continue
            truths[name] = matlab.read_struct(path, "truth", ["pHW_center", "pHW_scale"])
            if len(truths[name]) != count:
                raise UserError(
                    f"{path} describes {len(truths[name])} images, but "
                    f"{_box_file(self.data_dir, synset)} describes {count}"
                )
        return truths


def open_animal_part(config: DatasetConfig) -> AnimalPart:
    """Finds the benchmark under `config.data_dir`.

    Categories are given by name or synset; without any, all categories on disk are used.

    Raises:
        UserError: the folder is not in the published layout, or a category or the negatives are missing.
    """
    data_dir = config.data_dir
    if not data_dir:
        raise UserError(
            "--data_dir is not set: name the folder that holds detanimalpart and interpretableCNN"
        )
    present = _present(data_dir)
    offered = [name for name, synset in SYNSETS.items() if synset in present]
    names = categories.chosen(
        [_name(category) for category in config.categories], offered, f"--data_dir={data_dir}"
    )
    if config.negatives and not _negative_files(data_dir):
        raise UserError(f"{_no_negatives(data_dir)}; leave negatives out: --nonegatives")
    negative_class = config.negative_class if config.negatives else None
    synsets = tuple(SYNSETS[name] for name in names)
    return AnimalPart(
        data_dir=data_dir,
        synsets=synsets,
        classes=categories.with_negative(names, negative_class),
        all_classes=categories.with_negative(offered, negative_class),
        negative_class=negative_class,
        landmark_names=tuple(
            name
            for name in LANDMARK_FILES
            if name == "head" or any(os.path.isfile(_landmark_file(data_dir, s, name)) for s in synsets)
        ),
    )


def negatives(data_dir: str, label: int) -> list[ImageReference]:
    """Returns the benchmark's random photographs, which show none of its categories.

    Args:
        data_dir: the folder that holds interpretableCNN.
        label: of the negative class.

    Raises:
        UserError: there are no such photographs.
    """
    files = _negative_files(data_dir)
    if not files:
        raise UserError(_no_negatives(data_dir))
    return [
        ImageReference(id=f"neg/{os.path.basename(path).removesuffix('.JPEG')}", label=label, location=path)
        for path in files
    ]


def _present(data_dir: str) -> set[str]:
    folder = os.path.join(data_dir, "detanimalpart")
    if not os.path.isdir(folder):
        raise UserError(
            f"--data_dir={data_dir}: there is no folder {folder} (and interpretableCNN beside it)"
        )
    found = (re.fullmatch(r"(n\d{8})_obj", name) for name in os.listdir(folder))
    return {match[1] for match in found if match}


def _name(category: str) -> str:
    """Returns the category's name for a synset, an alias or another spelling."""
    name = category.strip().lower().replace("_", " ")
    by_synset = {synset: name for name, synset in SYNSETS.items()}
    return by_synset.get(name, _ALIASES.get(name, name))


def _box_file(data_dir: str, synset: str) -> str:
    return os.path.join(data_dir, "detanimalpart", f"{synset}_obj", "img", "data.mat")


def _landmark_file(data_dir: str, synset: str, landmark: str) -> str:
    return os.path.join(data_dir, _LANDMARKS, synset, LANDMARK_FILES[landmark])


def _negative_files(data_dir: str) -> list[str]:
    folder = os.path.join(data_dir, _NEGATIVES)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in names if name.endswith(".JPEG")]


def _no_negatives(data_dir: str) -> str:
    return f"{os.path.join(data_dir, _NEGATIVES)} holds no *.JPEG"


def _boxes(path: str) -> list[Box]:
    """Reads the object boxes. In the file they are 1-based pixels, both ends inclusive."""
    boxes = []
    for number, sample in enumerate(matlab.read_struct(path, "samples", ["obj"]), start=1):
        try:
            edges = sample["obj"]["bndbox"]
            boxes.append(
                Box(
                    xmin=edges["xmin"] - 1.0,
                    ymin=edges["ymin"] - 1.0,
                    xmax=float(edges["xmax"]),
                    ymax=float(edges["ymax"]),
                )
            )
        except (KeyError, TypeError, IndexError) as error:
            raise UserError(f"{path}: samples({number}).obj.bndbox has no xmin, ymin, xmax, ymax") from error
    return boxes


def _landmark(truth: Mapping[str, Any], box: Box) -> Landmark | None:
    """Converts (row, column), 1-based pixels of the 224x224 crop, to continuous pixels of the image.

    Returns None if the crop shows the part of several animals, or of none: the benchmark's own evaluation
    also treats the former as not annotated.
    """
    if truth["pHW_center"].size != 2:
        return None
    (row, column), (height, width) = truth["pHW_center"].tolist(), truth["pHW_scale"].tolist()
    x_scale, y_scale = (box.xmax - box.xmin) / _CROP, (box.ymax - box.ymin) / _CROP
    return Landmark(
        x=box.xmin + (column - 0.5) * x_scale,
        y=box.ymin + (row - 0.5) * y_scale,
        width=width * x_scale,
        height=height * y_scale,
    )
