"""Data sets with landmarks as builders of tensorflow-datasets; importing this registers them.

tfds build cub200_parts --imports=tf_explainer.datasets.builders
"""

from tf_explainer.datasets.builders.creatures import Creatures
from tf_explainer.datasets.builders.cub200_parts import Cub200Parts
from tf_explainer.datasets.builders.ilsvrc_animal_part import IlsvrcAnimalPart
from tf_explainer.datasets.builders.pascal_part_animals import PascalPartAnimals

__all__ = ["Creatures", "Cub200Parts", "IlsvrcAnimalPart", "PascalPartAnimals"]
