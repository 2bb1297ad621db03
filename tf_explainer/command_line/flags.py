"""All flags of all binaries, made from the settings in `config`, and the only place that reads them.

One flagfile serves every binary (`--flagfile=configs/vgg.flags`), so every binary knows every flag
and uses those of its own step. `run` is the entry point that the binaries share: it parses, calls
the step, and turns a `UserError` into one readable message and exit code 1.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import docstring_parser
from absl import app, flags
from absl import logging as absl_logging

from tf_explainer import config
from tf_explainer.command_line import flagfiles, terminal
from tf_explainer.command_line import usage as command_line
from tf_explainer.command_line.usage import FlagHelp
from tf_explainer.errors import UserError, full_disk
from tf_explainer.features import schema
from tf_explainer.performer import keras_settings

FLAGS = flags.FLAGS
_Config = TypeVar("_Config")
# The settings, under the titles of the help and in its order.
_GROUPS: dict[str, type] = {
    "The work directory": config.WorkDir,
    "All steps (run)": config.ChainConfig,
    "The images": config.DatasetConfig,
    "The performer": config.PerformerConfig,
    "The training of the performer (train_performer)": config.PerformerTrainingConfig,
    "Extraction (extract_features)": config.ExtractionConfig,
    # Beam's tests know an option of the name --dry_run; it cannot be given here.
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
# What `run` found on the command line that is no flag of ours.
_left_over: list[str] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Setting:
    """A field of a dataclass in `config`, as its flag needs to know it.

    Attributes:
        flag: the flag's name.
        type: of the value, or of a list's items.
        is_list: whether values are lists.
        is_repeated: whether a list is given by repeating the flag.
        choices: the values that there are; empty: any.
        bounds: the least and the greatest value.
        default: None: there is none.
        help: what it means.
    """

    flag: str
    type: type
    is_list: bool
    is_repeated: bool
    choices: tuple[str, ...]
    bounds: config.Bounds | None
    default: Any
    help: str

    def declare(self) -> None:
        """Makes the flag."""
        if self.is_repeated:
            flags.DEFINE_multi_string(self.flag, list(self.default), self.help)
        elif self.is_list:
            flags.DEFINE_list(self.flag, [str(item) for item in self.default], self.help)
        elif self.choices:
            flags.DEFINE_enum(self.flag, self.default, list(self.choices), self.help)
        elif self.type in (int, float):
            define: Any = flags.DEFINE_integer if self.type is int else flags.DEFINE_float
            bounds = self.bounds or config.Bounds(None)
            define(self.flag, self.default, self.help, lower_bound=bounds.least, upper_bound=bounds.most)
        else:
            define = flags.DEFINE_bool if self.type is bool else flags.DEFINE_string
            define(self.flag, self.default, self.help)

    def value(self) -> Any:
        """Returns the flag's value, as the field has it.

        Raises:
            UserError: an item of a list is no number, where numbers are asked for.
        """
        value: Any = FLAGS[self.flag].value
        if not self.is_list:
            return value
        try:
            return tuple(self.type(item) for item in value)
        except ValueError as error:
            raise UserError(f"--{self.flag}={','.join(value)} is not a list of whole numbers") from error


@functools.cache
def _settings(cls: Callable[..., Any]) -> dict[str, _Setting]:
    """Returns what flags need to know of a dataclass's fields, by their names."""
    lines = {
        line.arg_name: line.description or "" for line in docstring_parser.parse(cls.__doc__ or "").params
    }
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        field.name: _setting(field, hints[field.name], lines[field.name])
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
    }


def _setting(field: dataclasses.Field, hint: Any, line: str) -> _Setting:
    metadata = {type(each): each for each in getattr(hint, "__metadata__", ())}
    plain = hint.__origin__ if metadata else hint
    if isinstance(plain, types.UnionType):  # None is not written: it is what a flag without default has.
        plain = typing.get_args(plain)[0]
    kind, arguments = typing.get_origin(plain), typing.get_args(plain)
    help_text = " ".join(line.split())
    flag = metadata.get(config.Flag)
    return _Setting(
        flag=flag.name if flag else field.name,
        type=arguments[0] if kind is tuple else str if kind is typing.Literal else plain,
        is_list=kind is tuple,
        is_repeated=bool(flag and flag.repeated),
        choices=arguments if kind is typing.Literal else (),
        bounds=metadata.get(config.Bounds),
        default=None if field.default is dataclasses.MISSING else field.default,
        help=help_text[0].upper() + help_text[1:],
    )


for _class in _GROUPS.values():
    for _each in _settings(_class).values():
        if _each.flag not in FLAGS:  # One seed serves both trainings.
            _each.declare()


def _ours() -> list[flags.Flag]:
    """Returns this project's flags, in the order of their declaration."""
    return FLAGS.flags_by_module_dict().get(__name__, [])


def _from_flags(cls: Callable[..., _Config]) -> _Config:
    """Builds a dataclass from the flags of its fields.

    Raises:
        UserError: an item of a list is no number, where numbers are asked for.
    """
    return cls(**{name: setting.value() for name, setting in _settings(cls).items()})


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
    """Tells whether a flag stands on the command line or in a flagfile."""
    return bool(FLAGS[name].present)


def assume(name: str, value: str | list[str]) -> list[str]:
    """Gives a flag that is not written a value; returns the argument that says so."""
    FLAGS[name].value = value
    return [f"--{name}={value if isinstance(value, str) else ','.join(value)}"]


def names_workdir() -> bool:
    """Tells whether a work directory is named."""
    return FLAGS.workdir is not None


def features_dir() -> str:
    """Returns where the features lie."""
    return FLAGS.features_dir.rstrip("/") if FLAGS.features_dir else workdir().features


def names_dataset() -> bool:
    """Tells whether a data set is named."""
    return FLAGS.dataset is not None


def dataset() -> config.DatasetConfig:
    """Returns the data set's settings.

    Raises:
        UserError: none is named, or the held-out fold is no fold.
    """
    required("dataset", "name one, --dataset=animal_part (or creatures, which needs no data)")
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
        UserError: the widths are no positive whole numbers.
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
            f"--views={','.join(FLAGS.views)}: {unknown[0]!r} is none of {', '.join(schema.VIEWS)}"
        )
    return dataclasses.replace(settings, views=tuple(view for view in schema.VIEWS if view in settings.views))


def dry_run() -> config.DryRunConfig:
    """Returns whether and how the effort of an extraction is estimated."""
    return _from_flags(config.DryRunConfig)


def verification() -> config.VerificationConfig:
    """Returns what happens to broken features."""
    return _from_flags(config.VerificationConfig)


def explainer() -> config.ExplainerConfig:
    """Returns the explainer's shape and weights."""
    return _from_flags(config.ExplainerConfig)


def training() -> config.TrainConfig:
    """Returns how the explainer is fitted.

    Raises:
        UserError: the steps to profile are not a first and a last one.
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
    return {flag.name: flag.value for flag in _ours()}


def evaluation() -> config.EvaluationConfig:
    """Returns what is measured and drawn."""
    return _from_flags(config.EvaluationConfig)


def snapshot() -> config.SnapshotConfig:
    """Returns what TensorBoard's Parts tab gets to show."""
    return _from_flags(config.SnapshotConfig)


def attribution() -> config.AttributionConfig:
    """Returns how a score is shared out among filters."""
    return _from_flags(config.AttributionConfig)


def explanation() -> config.ExplanationConfig:
    """Returns which images are explained."""
    return _from_flags(config.ExplanationConfig)


def explanation_file() -> config.ExplanationFileConfig:
    """Returns where explanations of many images go."""
    return _from_flags(config.ExplanationFileConfig)


def chain() -> config.ChainConfig:
    """Returns which steps are run."""
    return _from_flags(config.ChainConfig)


def export() -> config.ExportConfig:
    """Returns where the SavedModel goes."""
    return _from_flags(config.ExportConfig)


def next_command(module: str, *, with_others: bool = False) -> str:
    """Returns a line with the command of the step that follows this one, with the flags of this one.

    The line is empty where that step follows by itself.

    Args:
        module: of that step.
        with_others: whether it gets Beam's options, too.
    """
    if command_line.ONE_OF_ALL_STEPS in os.environ:
        return ""
    not_ours = [] if with_others else _left_over
    return f"Next: {command_line.following(module, sys.orig_argv, sys.argv[1:], not_ours)}"


def run(step: Callable[[Sequence[str]], None], *, pass_unknown: bool = False) -> None:
    """Parses the flags and runs a binary's step.

    Args:
        step: gets the arguments that were not parsed: the positional ones and, with `pass_unknown`,
            the unknown flags.
        pass_unknown: whether unknown flags are handed to the step (Beam's options) or refused.
    """
    asked = {f"--{argument.lstrip('-')}" for argument in sys.argv[1:] if argument.startswith("-")}
    if asked & {"--h", "--help", "--helpshort", "--helpfull"}:
        sys.stdout.write(_usage(sys.modules[step.__module__].__doc__ or "", full="--helpfull" in asked))
        return
    terminal.silence_libraries()
    try:
        app.run(
            lambda arguments: _guarded(step, arguments[1:], pass_unknown),
            flags_parser=lambda argv: _parse(argv, pass_unknown),
        )
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


def _usage(purpose: str, *, full: bool) -> str:
    """Returns a binary's help; in full with the flags of the library that reads them."""
    groups: list[tuple[str, list[FlagHelp]]] = []
    told: set[str] = set()
    for title, cls in _GROUPS.items():
        settings = [setting for setting in _settings(cls).values() if setting.flag not in told]
        told.update(setting.flag for setting in settings)
        groups.append((title, [_help_of(setting) for setting in settings]))
    text = command_line.usage(purpose, groups)
    others = [module for module in FLAGS.flags_by_module_dict() if module != __name__]
    return text + "".join(f"\n{FLAGS.module_help(module)}\n" for module in others if full)


def _help_of(setting: _Setting) -> FlagHelp:
    flag = FLAGS[setting.flag]
    default = flag.default_as_str
    return FlagHelp(
        name=flag.name,
        default=default and default.strip("'"),
        text=setting.help,
        choices=setting.choices,
        is_switch=flag.boolean,
    )


def _parse(argv: Sequence[str], pass_unknown: bool) -> list[str]:
    try:
        flagfiles.check_flagfiles(argv[1:])
        program, *_left_over[:] = FLAGS(argv, known_only=pass_unknown)
        for flag in _ours():
            flag.value = flagfiles.with_home(flag.value)
        return [program, *_left_over]
    except UserError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)
    except flags.Error as error:
        sys.stderr.write(f"Error: {error}\n--help tells of all flags.\n")
        sys.exit(1)


def _guarded(step: Callable[[Sequence[str]], None], arguments: Sequence[str], pass_unknown: bool) -> None:
    try:
        if arguments and not pass_unknown:
            raise UserError(f"unexpected argument {arguments[0]!r}: flags are written --name=value")
        keras_settings.check()
        terminal.prepare()
        absl_logging.set_verbosity(absl_logging.INFO)
        step(arguments)
    except UserError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)
    except Exception as error:
        reason = full_disk(error)
        if reason is None:
            raise
        sys.stderr.write(f"Error: {reason}\n")
        sys.exit(1)
