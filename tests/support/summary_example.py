"""What a network looks at on three images, known by hand."""

import numpy as np

from tf_explainer.evaluation.parts import Part
from tf_explainer.explanation.run_contributions import Contributions, summarise

HEAD = Part(number=1, name="head", filters=(0,))


def known_contributions():
    """Two foxes that the part explains, and a fish taken for a fox, by the ordinary track."""
    columns = np.array([[3.0, 0, 1, 0, 0], [5, 0, 1, 0, 0], [0, 0, 2, 0, 0]])
    return Contributions(
        ids=["a", "b", "c"],
        labels=np.array([0, 0, 1]),
        named=np.array([0, 0, 0]),
        explainer_named=np.array([0, 0, 1]),
        scores=columns.sum(axis=1),
        columns=columns,
        lost=columns[:, :3],
        against={2: (-1.0, np.array([0.5, 0, -1.5, 0, 0]))},
    )


def known_summary(measured, labelled=True, part=HEAD, negative_class=None):
    names = ["fox", "fish"]
    said = {"held_out": False, "labelled": labelled, "method": "by hand"}
    return summarise(measured, [part], names, negative_class=negative_class, **said)
