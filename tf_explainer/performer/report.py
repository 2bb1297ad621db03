"""What is kept of a performer's training: its settings, and how well it does on held-out images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_explainer.config import DatasetConfig, PerformerConfig, PerformerTrainingConfig
from tf_explainer.datasets.annotations import annotation_file

# The layers that are explained may be chosen anew for one and the same performer.
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
    """How one class fares.

    Attributes:
        images: how many of the class there are.
        accuracy: share of them whose highest score is their class's, in [0, 1]; None without images.
    """

    images: int
    accuracy: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerformerReport:
    """Content of `performer.json`.

    Attributes:
        settings: those that the performer depends on, by group; none where its head was not trained here.
        fingerprint: of the performer.
        classes: names, in the order of its scores.
        unreadable_images: how many were left out.
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
        """Returns the report of a backbone with its own head, of which only the classes are known."""
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
            ValueError: the text is no such report.
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
    """Returns the settings that a trained performer depends on, as they come back from JSON."""
    settings = {
        "dataset": annotation_file.identity(dataset),
        "performer": dataclasses.asdict(performer),
        "training": dataclasses.asdict(training),
    }
    for name in _NOT_TRAINED:
        del settings["performer"][name]
    return json.loads(json.dumps(settings))


def differing_settings(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> list[str]:
    """Lists the settings in which two trainings differ, as `name (old, now new)`."""
    return [
        f"{name} ({old.get(group, {}).get(name)}, now {value})"
        for group, values in new.items()
        for name, value in values.items()
        if old.get(group, {}).get(name) != value
    ]


def results_by_class(
    labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]
) -> dict[str, ClassResult]:
    """Returns how each class fares.

    Args:
        labels: `[N]`.
        probabilities: `[N, classes]`.
        classes: names by label.
    """
    right = probabilities.argmax(1) == labels
    return {name: _class_result(right[labels == label]) for label, name in enumerate(classes)}


def _class_result(right: np.ndarray) -> ClassResult:
    return ClassResult(images=len(right), accuracy=float(right.mean()) if len(right) else None)
