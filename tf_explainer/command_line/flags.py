"""Defines the flags of all binaries from the settings in `config`, and turns them back into settings.

One flagfile serves every binary (`--flagfile=configs/vgg.flags`), so every binary accepts every flag and uses
those of its own step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from absl import flags

from tf_explainer import config
from tf_explainer.command_line.setting import declared, settings_of
from tf_explainer.errors import UserError
from tf_explainer.features import schema

FLAGS = flags.FLAGS
_Config = TypeVar("_Config")
# The settings by their titles in the help, in its order.
GROUPS: dict[str, type] = {
    "The work directory": config.WorkDir,
    "All steps (run)": config.ChainConfig,
    "The images": config.DatasetConfig,
    "The performer": config.PerformerConfig,
    "The training of the performer (train_performer)": config.PerformerTrainingConfig,
    "Extraction (extract_features)": config.ExtractionConfig,
    # Beam has an option --dry_run, used by its own tests only; this flag hides it.
    "A dry run of the extraction (extract_features)": config.DryRunConfig,
    "Verification of stored features (verify_features)": config.VerificationConfig,
    "The explainer and its losses (train)": config.ExplainerConfig,
    "Training (train)": config.TrainConfig,
    "Evaluation (evaluate)": config.EvaluationConfig,
    "TensorBoard (train, evaluate)": config.SnapshotConfig,
    "Contributions to scores (evaluate, explain, export)": config.AttributionConfig,
    "Explanations of images (explain)": config.ExplanationConfig,
    "Explanations of many images (explain_images)": config.ExplanationFileConfig,
    "The export (export)": config.ExportConfig,
}


for _class in GROUPS.values():
    for _each in settings_of(_class).values():
        if _each.flag not in FLAGS:  # One seed serves both trainings.
            _each.declare()


def _from_flags(cls: Callable[..., _Config]) -> _Config:
    """Builds a dataclass from the flags of its fields.

    Raises:
        UserError: an item of a list of numbers is not a number.
    """
    return cls(**{name: setting.value() for name, setting in settings_of(cls).items()})


def required(name: str, why: str) -> Any:
    """Returns a flag's value.

    Raises:
        UserError: the flag is not set.
    """
    value = FLAGS[name].value
    if value is None:
        raise UserError(f"--{name} is not set: {why}")
    return value


def workdir() -> config.WorkDir:
    """Returns the run's directory."""
    root = required("workdir", "name the directory that holds the run, --workdir=runs/fox")
    return config.WorkDir(root=root.rstrip("/"), features_dir=FLAGS.features_dir)


def is_written(name: str) -> bool:
    """Returns whether a flag is given on the command line or in a flagfile."""
    return bool(FLAGS[name].present)


def assume(name: str, value: str | list[str]) -> list[str]:
    """Sets a flag that the user did not give; returns the equivalent argument."""
    FLAGS[name].value = value
    return [f"--{name}={value if isinstance(value, str) else ','.join(value)}"]


def names_workdir() -> bool:
    """Returns whether a work directory is named."""
    return FLAGS.workdir is not None


def features_dir() -> str:
    """Returns the directory of the features."""
    return FLAGS.features_dir.rstrip("/") if FLAGS.features_dir else workdir().features


def names_dataset() -> bool:
    """Returns whether a data set is named."""
    return FLAGS.dataset is not None


def dataset() -> config.DatasetConfig:
    """Returns the data set's settings.

    Raises:
        UserError: no data set is named, or the held-out fold does not exist.
    """
    required("dataset", "name a data set, --dataset=animal_part (or creatures, which needs no data)")
    if FLAGS.held_out_fold >= FLAGS.folds:
        raise UserError(
            f"--held_out_fold={FLAGS.held_out_fold} is not one of the --folds={FLAGS.folds}: "
            f"0 to {FLAGS.folds - 1}"
        )
    return _from_flags(config.DatasetConfig)


def performer() -> config.PerformerConfig:
    """Returns the performer's settings."""
    return _from_flags(config.PerformerConfig)


def performer_training() -> config.PerformerTrainingConfig:
    """Returns how the performer's head is trained.

    Raises:
        UserError: the widths are not positive whole numbers.
    """
    settings = _from_flags(config.PerformerTrainingConfig)
    if min(settings.head_widths, default=0) < 1:
        raise UserError(
            f"--head_widths={','.join(FLAGS.head_widths)} is not a list of positive whole numbers"
        )
    return settings


def extraction() -> config.ExtractionConfig:
    """Returns how features are computed and stored.

    Raises:
        UserError: there is no such view.
    """
    settings = _from_flags(config.ExtractionConfig)
    if unknown := sorted(set(settings.views) - set(schema.VIEWS)):
        raise UserError(
            f"--views={','.join(FLAGS.views)}: {unknown[0]!r} is not one of {', '.join(schema.VIEWS)}"
        )
    return dataclasses.replace(settings, views=tuple(view for view in schema.VIEWS if view in settings.views))


def dry_run() -> config.DryRunConfig:
    """Returns whether and how the cost of an extraction is estimated."""
    return _from_flags(config.DryRunConfig)


def verification() -> config.VerificationConfig:
    """Returns what is done about broken features."""
    return _from_flags(config.VerificationConfig)


def explainer() -> config.ExplainerConfig:
    """Returns the explainer's architecture and loss weights."""
    return _from_flags(config.ExplainerConfig)


def training() -> config.TrainConfig:
    """Returns how the explainer is fitted.

    Raises:
        UserError: the steps to profile are not a first and a last step.
    """
    settings = _from_flags(config.TrainConfig)
    steps = settings.profile
    if steps and not (len(steps) == 2 and 1 <= steps[0] <= steps[1]):
        raise UserError(
            f"--profile={','.join(FLAGS.profile)} is not a first and a last step, such as --profile=20,30"
        )
    return settings


def all_values() -> dict[str, Any]:
    """Returns every flag of this project with its value, for the record of a run."""
    return {flag.name: flag.value for flag in declared()}


def evaluation() -> config.EvaluationConfig:
    """Returns what is measured and drawn."""
    return _from_flags(config.EvaluationConfig)


def snapshot() -> config.SnapshotConfig:
    """Returns what TensorBoard's Parts tab shows."""
    return _from_flags(config.SnapshotConfig)


def attribution() -> config.AttributionConfig:
    """Returns how a score is shared out among filters."""
    return _from_flags(config.AttributionConfig)


def explanation() -> config.ExplanationConfig:
    """Returns which images are explained."""
    return _from_flags(config.ExplanationConfig)


def explanation_file() -> config.ExplanationFileConfig:
    """Returns where the explanations of many images are written."""
    return _from_flags(config.ExplanationFileConfig)


def chain() -> config.ChainConfig:
    """Returns which steps `run` runs."""
    return _from_flags(config.ChainConfig)


def export() -> config.ExportConfig:
    """Returns where the SavedModel is written."""
    return _from_flags(config.ExportConfig)
