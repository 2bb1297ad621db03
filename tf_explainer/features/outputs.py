"""What the stored scores say of the stored labels: a performer's classes beside those of a data set."""

from __future__ import annotations

import dataclasses

import numpy as np
from keras import ops

from tf_explainer import scores
from tf_explainer.config import OutputKind
from tf_explainer.features.schema import Manifest
from tf_explainer.performer.performer import Performer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outputs:
    """A performer's outputs.

    Attributes:
        kind: what they are.
        names: of its classes, two for one output; `output 0`, ... where they are not known.
        classes: the data set's, by label.
    """

    kind: OutputKind
    names: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def of_labels(self) -> np.ndarray:
        """The performer's class that each label stands for, `[classes]` int; -1: none."""
        return np.array([self.names.index(name) if name in self.names else -1 for name in self.classes], int)

    def decisions(self, stored: np.ndarray) -> np.ndarray:
        """Returns the likeliest of the performer's classes, `[B]` int, by scores `[B, outputs]`."""
        return ops.convert_to_numpy(scores.decisions(stored, self.kind))

    def labels(self, stored: np.ndarray) -> np.ndarray:
        """Returns the label of the likeliest class, `[B]` int; -1 where the data set has no such class."""
        label_of = np.full(len(self.names), -1)
        for label, output in enumerate(self.of_labels):
            if output >= 0:
                label_of[output] = label
        return label_of[self.decisions(stored)]

    def probabilities(self, stored: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the performer's classes, `[B, classes]`, by scores `[B, outputs]`.

        Raises:
            UserError: the scores are not of their kind.
        """
        scores.check(stored, self.kind)
        return ops.convert_to_numpy(scores.class_probabilities(stored, self.kind))


def outputs_of(performer: Performer, manifest: Manifest) -> Outputs:
    """Puts a performer's classes beside those of the data set whose features are stored.

    The names are those that a person or the training tells; else the data set's, if it has as many classes
    before any was left out: Keras numbers folders in the order of their names.
    """
    offered = manifest.all_classes or manifest.classes
    names = performer.config.class_names
    if not names and len(offered) == performer.num_classes:
        names = offered
    return Outputs(
        kind=performer.output_kind,
        names=names or tuple(f"output {number}" for number in range(performer.num_classes)),
        classes=manifest.classes,
    )
