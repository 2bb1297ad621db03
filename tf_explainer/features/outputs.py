"""Relates the performer's classes to those of the data set, to compare stored scores with labels."""

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
    """The meaning of a performer's outputs.

    Attributes:
        kind: of the outputs.
        names: names of the performer's classes, two for one output; `output 0`, ... if they are unknown.
        classes: names of the data set's classes, by label.
    """

    kind: OutputKind
    names: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def of_labels(self) -> np.ndarray:
        """The performer's class of each label, `[classes]` int; -1 if there is none."""
        return np.array([self.names.index(name) if name in self.names else -1 for name in self.classes], int)

    def decisions(self, stored: np.ndarray) -> np.ndarray:
        """Returns the likeliest of the performer's classes, `[B]` int, from scores `[B, outputs]`."""
        return ops.convert_to_numpy(scores.decisions(stored, self.kind))

    def labels(self, stored: np.ndarray) -> np.ndarray:
        """Returns the label of the likeliest class, `[B]` int; -1 if the data set lacks the class.

        Args:
            stored: scores `[B, outputs]`.
        """
        label_of = [self.classes.index(name) if name in self.classes else -1 for name in self.names]
        return np.array(label_of, int)[self.decisions(stored)]

    def probabilities(self, stored: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the performer's classes, `[B, classes]`, from scores `[B, outputs]`.

        Raises:
            UserError: the scores are not of their kind.
        """
        scores.check(stored, self.kind)
        return ops.convert_to_numpy(scores.class_probabilities(stored, self.kind))


def outputs_of(performer: Performer, manifest: Manifest) -> Outputs:
    """Relates a performer's classes to those of the data set whose features are stored.

    If neither the user nor the training has named the performer's classes, they get the names of the data
    set's classes, if there are as many (with those that `--categories` leaves out): Keras numbers folders in
    the order of their names.
    """
    all_classes = manifest.all_classes or manifest.classes
    names = performer.config.class_names
    if not names and len(all_classes) == performer.num_classes:
        names = all_classes
    return Outputs(
        kind=performer.output_kind,
        names=names or tuple(f"output {number}" for number in range(performer.num_classes)),
        classes=manifest.classes,
    )
