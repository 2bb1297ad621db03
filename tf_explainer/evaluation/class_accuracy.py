"""How often the performer names the class that an image's label says, and when that looks like a mix-up.

Folders are numbered in the order of their names. A network whose outputs stand in another order is right
about the images and wrong about every name: its accuracy is below chance, or some class is never right.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_explainer.features.outputs import Outputs

# Fewer images of a class may all be wrong by chance.
_ENOUGH = 5


class ClassAccuracy:
    """Counts right decisions class by class.

    Args:
        outputs: what the scores say; None: nobody has said it, and nothing is counted.
    """

    def __init__(self, outputs: Outputs | None) -> None:
        self._outputs = outputs
        classes = len(outputs.classes) if outputs else 0
        self._right, self._images = np.zeros(classes, int), np.zeros(classes, int)

    def add(self, scores: np.ndarray, labels: np.ndarray) -> None:
        """Takes in scores, `[B, outputs]`, and labels, `[B]`."""
        if self._outputs:
            np.add.at(self._images, labels, 1)
            np.add.at(self._right, labels[self._outputs.labels(scores) == labels], 1)

    def by_class(self) -> dict[str, tuple[float, int]]:
        """Returns accuracy and number of images of each class that the performer knows, by its name."""
        if not self._outputs:
            return {}
        known = zip(self._outputs.classes, self._outputs.of_labels, self._right, self._images, strict=True)
        return {
            name: (float(right / images), int(images))
            for name, output, right, images in known
            if output >= 0 and images
        }


def order_warning(accuracy: Mapping[str, tuple[float, int]]) -> str | None:
    """Returns a warning where the names may stand in another order than the performer's outputs."""
    if len(accuracy) < 2:
        return None
    images = sum(number for _, number in accuracy.values())
    overall = sum(share * number for share, number in accuracy.values()) / images
    never = [name for name, (share, number) in accuracy.items() if not share and number >= _ENOUGH]
    if images < _ENOUGH or not (overall < 1 / len(accuracy) or never):
        return None
    what = f"names no image of {', '.join(never)} right" if never else "is worse than chance"
    return (
        f"The performer {what} (accuracy {overall:.3f} on {images} images): perhaps the names of the classes "
        f"({', '.join(accuracy)}) do not stand in the order of its outputs. Name them in that order: "
        "--class_names=..."
    )
