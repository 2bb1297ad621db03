"""Drawn animals as a data set.

Four species (`cat`, `cow`, `deer`, `lizard`) stand in landscapes. They differ in the colours of head, saddle,
legs and tail; one part alone leaves two species possible. Bodies are the same, and any animal may wear any
coat. Head, legs and tail move independently, and the animal's place, scale, direction and slant vary. Image
`i` of a seed is the same picture on every machine, whichever categories are requested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import categories
from tf_explainer.datasets.creatures.anatomy import PARTS
from tf_explainer.datasets.creatures.canvas import Painter
from tf_explainer.datasets.creatures.coat import paint_animal
from tf_explainer.datasets.creatures.landscape import paint_landscape
from tf_explainer.datasets.creatures.scene import KINDS, PAINT, compose, generator
from tf_explainer.datasets.creatures.species import SPECIES
from tf_explainer.datasets.source import HashedShards, ReadResult
from tf_explainer.images.record import ImageRecord, ImageReference


@dataclasses.dataclass(frozen=True, kw_only=True)
class Creatures(HashedShards):
    """The drawn data set; see `datasets.source.ImageSource`.

    Attributes:
        seed: of all pictures.
        num_images: number of pictures.
        classes: names by label.
        all_classes: names of all species, then the negative class.
        negative_class: the last class, or None.
        landmark_names: head, torso, legs, tail.
    """

    seed: int
    num_images: int
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    negative_class: str | None
    landmark_names: tuple[str, ...] = PARTS

    def references(self) -> Iterator[ImageReference]:
        """Yields every image's reference; the classes take turns."""
        names = [species.name if species else self.negative_class for species in KINDS]
        kinds = [(kind, self.classes.index(name)) for kind, name in enumerate(names) if name in self.classes]
        for number in range(self.num_images):
            cycle, turn = divmod(number, len(kinds))
            kind, label = kinds[turn]
            yield self._reference(cycle * len(KINDS) + kind, label)

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Draws the images, in the order of the references."""
        for reference in references:
            yield reference, ImageRecord(reference=reference, image=draw(self.seed, int(reference.location)))

    def _reference(self, index: int, label: int) -> ImageReference:
        scene = compose(self.seed, index)
        return ImageReference(
            id=f"creatures-{self.seed}/{index:06d}",
            label=label,
            location=str(index),
            box=scene.box,
            landmarks=scene.landmarks,
        )


def open_creatures(config: DatasetConfig) -> Creatures:
    """Prepares the drawn data set.

    Raises:
        UserError: a category is not a species.
    """
    offered = [species.name for species in SPECIES]
    names = categories.chosen(config.categories, offered, "--dataset=creatures")
    negative_class = config.negative_class if config.negatives else None
    return Creatures(
        seed=config.dataset_seed,
        num_images=config.num_images,
        classes=categories.with_negative(names, negative_class),
        all_classes=categories.with_negative(offered, negative_class),
        negative_class=negative_class,
    )


def draw(seed: int, index: int) -> np.ndarray:
    """Paints image `index` of a seed; `[H, W, 3]` uint8, RGB."""
    scene = compose(seed, index)
    painter = Painter(scene.width, scene.height, generator(seed, index, PAINT))
    paint_landscape(painter, scene.horizon, things=9 if scene.animal else 13)
    if scene.animal:
        paint_animal(painter, scene.animal)
    return painter.finish()
