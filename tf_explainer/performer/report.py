"""The report of a performer's training: its settings, and its accuracy on training and held-out images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig
from tf_explainer.datasets.annotations import annotation_file

# Settings that may change without a new training, such as the layers to explain.
_NOT_TRAINED = (
    "performer",
    "preprocessing",
    "performer_modules",
    "trust_performer_code",
    "outputs",
    "class_names",
    "target_layer",
    "distilled_layers",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassResult:
    """The accuracy for one class.

    Attributes:
        images: number of images of the class.
        accuracy: share of these images that are classified correctly, in [0, 1]; None without images.
    """

    images: int
    accuracy: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerReport:
    """Content of `performer.json`.

    Attributes:
        settings: those that the performer depends on, by group; empty if its head was not trained here.
        fingerprint: of the performer.
        classes: names, in the order of the scores.
        unreadable_images: number of images that could not be read.
        training, held_out: results by class.
    """

    settings: dict[str, dict[str, Any]]
    fingerprint: str
    classes: list[str]
    unreadable_images: int
    training: dict[str, ClassResult]
    held_out: dict[str, ClassResult]

    @classmethod
    def of_own_head(cls, fingerprint: str, classes: Sequence[str]) -> PerformerReport:
        """Returns the report of a backbone with its own head: only its fingerprint and classes are known."""
        return cls(
            settings={},
            fingerprint=fingerprint,
            classes=list(classes),
            unreadable_images=0,
            training={},
            held_out={},
        )

    @property
    def is_trained(self) -> bool:
        """Whether the head was trained here."""
        return bool(self.settings)

    def table(self) -> str:
        """Returns the results as lines of text, one for each class."""
        width = max(len(name) for name in (*self.classes, "class"))
        lines = [f"{'class':{width}}  training images  accuracy  held-out images  accuracy"]
        for name in self.classes:
            seen, new = self.training[name], self.held_out[name]
            lines.append(
                f"{name:{width}}  {seen.images:15}  {_percent(seen)}  {new.images:15}  {_percent(new)}"
            )
        return "\n".join(lines)

    def to_json(self) -> str:
        """Returns the report as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> PerformerReport:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: the text is not such a report.
        """
        try:
            fields = json.loads(text)
            for group in ("training", "held_out"):
                fields[group] = {name: ClassResult(**result) for name, result in fields[group].items()}
            return cls(**fields)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a performer's report: {error}") from error


def _percent(result: ClassResult) -> str:
    return f"{'-':>8}" if result.accuracy is None else f"{result.accuracy:8.3f}"


def settings_of(
    dataset: DatasetConfig, performer: PerformerConfig, training: PerformerTrainingConfig
) -> dict[str, dict[str, Any]]:
    """Returns the settings that a trained performer depends on, in the types that JSON gives back."""
    settings = {
        "dataset": annotation_file.identity(dataset),
        "performer": dataclasses.asdict(performer),
        "training": dataclasses.asdict(training),
    }
    for name in _NOT_TRAINED:
        del settings["performer"][name]
    return json.loads(json.dumps(settings))


def differing_settings(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> list[str]:
    """Returns the settings in which two trainings differ, each as `name (old, now new)`."""
    return [
        f"{name} ({old.get(group, {}).get(name)}, now {value})"
        for group, values in new.items()
        for name, value in values.items()
        if old.get(group, {}).get(name) != value
    ]


def results_by_class(
    labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]
) -> dict[str, ClassResult]:
    """Returns the accuracy for each class.

    Args:
        labels: `[N]`.
        probabilities: `[N, classes]`.
        classes: names by label.
    """
    is_correct = probabilities.argmax(1) == labels
    results = {}
    for label, name in enumerate(classes):
        of_class = is_correct[labels == label]
        results[name] = ClassResult(
            images=len(of_class), accuracy=float(of_class.mean()) if len(of_class) else None
        )
    return results
