"""Measures the performer's accuracy by class, and warns if the class names may be in the wrong order.

Folders are numbered in the order of their names. If the network's outputs are in another order, it classifies
correctly but under the wrong names: its accuracy is below chance, or some class is never right.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_explainer.features.outputs import Outputs

# Smallest number of images to warn about; fewer may all be wrong by chance.
_ENOUGH = 5


class ClassAccuracy:
    """Counts correct decisions by class.

    Args:
        outputs: the meaning of the performer's outputs; None if unknown: nothing is counted then.
    """

    def __init__(self, outputs: Outputs | None) -> None:
        self._outputs = outputs
        classes = len(outputs.classes) if outputs else 0
        self._right, self._images = np.zeros(classes, int), np.zeros(classes, int)

    def add(self, scores: np.ndarray, labels: np.ndarray) -> None:
        """Adds a batch of scores, `[B, outputs]`, and labels, `[B]`."""
        if self._outputs:
            np.add.at(self._images, labels, 1)
            np.add.at(self._right, labels[self._outputs.labels(scores) == labels], 1)

    def by_class(self) -> dict[str, tuple[float, int]]:
        """Returns accuracy and number of images of each class that the performer knows, by class name."""
        if not self._outputs:
            return {}
        known = zip(self._outputs.classes, self._outputs.of_labels, self._right, self._images, strict=True)
        return {
            name: (float(right / images), int(images))
            for name, output, right, images in known
            if output >= 0 and images
        }


def order_warning(accuracy: Mapping[str, tuple[float, int]]) -> str | None:
    """Returns a warning if the class names may be in another order than the outputs, else None."""
    if len(accuracy) < 2:
        return None
    images = sum(number for _, number in accuracy.values())
    overall = sum(share * number for share, number in accuracy.values()) / images
    never = [name for name, (share, number) in accuracy.items() if not share and number >= _ENOUGH]
    if images < _ENOUGH or not (overall < 1 / len(accuracy) or never):
        return None
    what = f"recognises no image of {', '.join(never)}" if never else "is worse than chance"
    return (
        f"The performer {what} (accuracy {overall:.3f} on {images} images): perhaps the names of the classes "
        f"({', '.join(accuracy)}) are not in the order of its outputs. List them in that order: "
        "--class_names=..."
    )
