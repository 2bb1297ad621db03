"""All flags of all binaries, and the only place that reads them.

One flagfile serves every binary (`--flagfile=configs/vgg.flags`), so every binary knows every flag
and uses those of its own step. `run` is the entry point that the binaries share: it parses, calls
the step, and turns a `UserError` into one readable message and exit code 1.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import app, flags
from absl import logging as absl_logging

from tf_explainer import command_line, config, terminal
from tf_explainer.command_line import FlagHelp
from tf_explainer.errors import UserError
from tf_explainer.features import schema

FLAGS = flags.FLAGS
_Config = TypeVar("_Config")
# Titles of the help, each with the number of flags declared before it.
_GROUPS: list[tuple[str, int]] = []
# What `run` found on the command line that is no flag of ours.
_left_over: list[str] = []


def _group(title: str) -> None:
    """Begins a group of flags."""
    _GROUPS.append((title, len(_ours())))


def _ours() -> list[flags.Flag]:
    """Returns this project's flags, in the order of their declaration."""
    return FLAGS.flags_by_module_dict().get(__name__, [])


def _defaults(cls: type) -> Callable[[str], Any]:
    fields = {field.name: field.default for field in dataclasses.fields(cls)}
    return lambda name: fields[name]


_group("The work directory")
flags.DEFINE_string(
    "workdir", None, "Directory of the run: every step leaves its results here for the next one."
)
flags.DEFINE_string("features_dir", None, "Where the features lie; default: WORKDIR/features.")

_group("The images")
_default = _defaults(config.DatasetConfig)
flags.DEFINE_string(
    "dataset",
    None,
    "folder, animal_part, creatures, or a data set of tensorflow-datasets, such as cub200_parts.",
)
flags.DEFINE_string(
    "data_dir", None, "Where the data lies; for `folder` also a pattern (photos/*/*.jpg) or gs://."
)
flags.DEFINE_string("split", _default("split"), "Split of a tensorflow-datasets data set.")
flags.DEFINE_list("categories", [], "Classes to keep, comma-separated; empty keeps all.")
flags.DEFINE_bool("negatives", _default("negatives"), "Whether images of no category take part.")
flags.DEFINE_string("negative_class", _default("negative_class"), "The class that stands for 'no object'.")
flags.DEFINE_integer("num_images", _default("num_images"), "Images that `creatures` draws.", lower_bound=1)
flags.DEFINE_integer("dataset_seed", _default("dataset_seed"), "Seed of `creatures`.", lower_bound=0)
flags.DEFINE_integer("folds", _default("folds"), "Folds of the images.", lower_bound=2)
flags.DEFINE_integer(
    "held_out_fold", _default("held_out_fold"), "The fold training never sees.", lower_bound=0
)

_group("The performer")
_default = _defaults(config.PerformerConfig)
flags.DEFINE_string("performer", None, "A .keras file; default: WORKDIR/performer.keras.")
flags.DEFINE_string("backbone", _default("backbone"), "A keras.applications model: vgg16, ...")
flags.DEFINE_string("backbone_weights", _default("backbone_weights"), "imagenet, none, or a weights file.")
flags.DEFINE_float(
    "backbone_alpha", None, "Width multiplier of a MobileNet; default: its own.", lower_bound=0.0
)
flags.DEFINE_integer(
    "image_size", _default("image_size"), "Side of the performer's input, pixels.", lower_bound=32
)
flags.DEFINE_string(
    "preprocessing",
    None,
    "keras.applications module whose preprocess_input a --performer file expects; default: none.",
)
flags.DEFINE_list(
    "performer_modules", [], "Python modules that register classes which a --performer file uses."
)
flags.DEFINE_bool(
    "trust_performer_code",
    _default("trust_performer_code"),
    "Run code in a --performer file, such as Lambda layers; it can do whatever you can.",
)
flags.DEFINE_string(
    "target_layer",
    _default("target_layer"),
    "The layer whose feature map is explained; empty: found by the rule in docs/performers.md.",
)
flags.DEFINE_list(
    "distilled_layers",
    list(_default("distilled_layers")),
    "Higher layers that the explainer gives back, lowest first; empty: found by the same rule.",
)

_group("The training of the performer (train_performer)")
_default = _defaults(config.PerformerTrainingConfig)
flags.DEFINE_enum(
    "head_pooling",
    _default("head_pooling"),
    ["auto", "flatten", "average"],
    "What stands between the backbone and the head's first layer; auto: flatten for VGG, else average.",
)
flags.DEFINE_list("head_widths", [str(w) for w in _default("head_widths")], "Widths of fc1, fc2, ...")
flags.DEFINE_float(
    "head_dropout", _default("head_dropout"), "Dropout rate.", lower_bound=0.0, upper_bound=0.99
)
flags.DEFINE_bool("train_backbone", _default("train_backbone"), "Whether the backbone is trained as well.")
flags.DEFINE_integer("performer_epochs", _default("epochs"), "Passes over the images.", lower_bound=1)
flags.DEFINE_float("performer_learning_rate", _default("learning_rate"), "Adam's step.", lower_bound=0.0)
flags.DEFINE_integer("performer_batch_size", _default("batch_size"), "Images a step.", lower_bound=1)

_group("Extraction (extract_features)")
_default = _defaults(config.ExtractionConfig)
flags.DEFINE_integer("num_shards", _default("num_shards"), "Feature files.", lower_bound=1)
flags.DEFINE_integer(
    "extraction_batch_size",
    _default("batch_size"),
    "Images the performer sees at once.",
    lower_bound=1,
)
flags.DEFINE_enum(
    "encoding",
    _default("encoding"),
    ["float16", "gzip", "sparse"],
    "How features are stored: plain, in GZIP files, or the values that are not 0 with their places.",
)
flags.DEFINE_integer(
    "jpeg_quality",
    _default("jpeg_quality"),
    "Quality of stored crops.",
    lower_bound=1,
    upper_bound=100,
)
flags.DEFINE_list(
    "views",
    list(_default("views")),
    "What is stored of each image besides its crop, comma-separated: flip (mirrored), shift (its window "
    "moved at random), crop (a smaller window at random).",
)
flags.DEFINE_integer("views_seed", _default("views_seed"), "Seed of the random views.", lower_bound=0)
flags.DEFINE_float(
    "max_dead_letters",
    _default("max_dead_letters"),
    "Share of unreadable images above which extraction fails.",
    lower_bound=0.0,
    upper_bound=1.0,
)
flags.DEFINE_bool(
    "retry_dead_letters",
    _default("retry_dead_letters"),
    "Try images again that could not be used: their shards are computed anew, all others stay.",
)
flags.DEFINE_string(
    "accelerator",
    _default("accelerator"),
    "GPU of the workers of the extraction step on Dataflow, such as nvidia-tesla-t4; none unless named.",
)
flags.DEFINE_string(
    "worker_min_ram",
    _default("worker_min_ram"),
    "Memory that workers of the extraction step must have on Dataflow, such as 16GB.",
)
flags.DEFINE_bool("overwrite", _default("overwrite"), "Replace results that another configuration left.")

_group("A dry run of the extraction (extract_features)")
# Beam's tests know an option of the name --dry_run; it cannot be given here.
_default = _defaults(config.DryRunConfig)
flags.DEFINE_bool(
    "dry_run",
    _default("dry_run"),
    "Extract nothing: measure a sample, and print the number of images, bytes, time, and cost on Dataflow.",
)
flags.DEFINE_integer(
    "dry_run_images", _default("dry_run_images"), "Images that a dry run measures.", lower_bound=1
)
for _name, _help in {
    "price_vcpu_hour": "a virtual CPU",
    "price_memory_gb_hour": "a GB of memory",
    "price_disk_gb_hour": "a GB of standard persistent disk",
    "price_accelerator_hour": "a worker's accelerators",
}.items():
    _help = f"USD an hour for {_help}; the default: list price, us-central1, 2025: check it."
    flags.DEFINE_float(_name, _default(_name), _help, lower_bound=0.0)

_group("Verification of stored features (verify_features)")
_default = _defaults(config.VerificationConfig)
flags.DEFINE_bool("repair", _default("repair"), "Compute again what is broken.")

_group("The explainer and its losses (train)")
_default = _defaults(config.ExplainerConfig)
flags.DEFINE_enum(
    "interpretable_init",
    _default("interpretable_init"),
    ["shifted_identity", "he"],
    "How the interpretable track starts.",
)
flags.DEFINE_enum(
    "filter_loss",
    _default("filter_loss"),
    ["exact", "closed_form", "icnn"],
    "The filter loss: exact mutual information, ICNN's gradient with running Z_T, or its released weighting.",
)
flags.DEFINE_enum(
    "category_assignment",
    _default("category_assignment"),
    ["none", "activation", "predicted"],
    "Which images a filter takes for its own: all, those it responds to, or those of its predicted category.",
)
flags.DEFINE_integer(
    "constellations", _default("constellations"), "Groups of filters that move as one.", lower_bound=1
)
flags.DEFINE_integer(
    "init_shift",
    _default("init_shift"),
    "Largest offset of shifted_identity, units.",
    lower_bound=0,
    upper_bound=1,
)
for _name, _help in {
    "mask_beta_1": "Slope of the mask behind conv_interp_1; 0: no mask; the papers: 4.",
    "mask_beta_2": "Slope of the mask behind conv_interp_2; 0: no mask; the papers: 4.",
    "template_beta": "Slope of the filter loss's templates.",
    "temperature": "Scale of <x, T> in the filter loss.",
    "filter_weight": "lambda_f: weight of the filter loss.",
    "part_share_weight": "eta: weight of -log p.",
    "reconstruction_weight": "lambda_l: weight of the distilled layers' relative squared error.",
    "classification_weight": "lambda_cls: weight of the cross entropy with the performer's own decision.",
    "consistency_weight": "Weight of the term that keeps each filter at its place.",
    "repulsion_weight": "Weight of the term that keeps the filters' places apart.",
    "repulsion_width": "Reach of the repulsion, units of the feature map.",
    "independence_weight": "Weight of the term that lets constellations move independently.",
    "equivariance_weight": "Weight of the term that lets peaks move with the views that --views has stored.",
    "specificity_weight": "Weight of the term that silences filters on other categories' images.",
    "independence_width": "Movement from which constellations count as independent, units.",
    "input_scale": "The input is divided by this many times its mean.",
    "norm_floor": "Floor of alpha as a share of its mean.",
}.items():
    flags.DEFINE_float(_name, _default(_name), _help, lower_bound=0.0)
flags.DEFINE_float(
    "initial_part_share",
    _default("initial_part_share"),
    "p before training.",
    lower_bound=0.001,
    upper_bound=0.999,
)
flags.DEFINE_float(
    "statistics_momentum",
    _default("statistics_momentum"),
    "How much of a running statistic stays at each step.",
    lower_bound=0.0,
    upper_bound=0.9999,
)

_group("Training (train)")
_default = _defaults(config.TrainConfig)
flags.DEFINE_integer("epochs", _default("epochs"), "Passes over the images.", lower_bound=1)
flags.DEFINE_integer(
    "steps",
    _default("steps"),
    "Steps to train, in place of --epochs; 0: as --epochs says.",
    lower_bound=0,
)
flags.DEFINE_integer("batch_size", _default("batch_size"), "Images a step, over all replicas.", lower_bound=1)
flags.DEFINE_integer(
    "negatives_per_batch",
    _default("negatives_per_batch"),
    "Images of the negative class added to each step.",
    lower_bound=0,
)
for _name, _help in {
    "learning_rate": "Adam's step for the encoder.",
    "decoder_learning_rate": "Adam's step for the decoder.",
    "part_share_learning_rate": "Adam's step for w_p.",
}.items():
    flags.DEFINE_float(_name, _default(_name), _help, lower_bound=0.0)
flags.DEFINE_integer(
    "logical_cpus",
    _default("logical_cpus"),
    "Mirror over this many logical CPU devices; 0: the GPUs, or one CPU.",
    lower_bound=0,
)
flags.DEFINE_integer("seed", _default("seed"), "Seed of training.", lower_bound=0)
for _name, _choices, _help in [
    (
        "strategy",
        ["mirrored", "multi_worker", "one_device"],
        "Devices: all, the processes of TF_CONFIG, one.",
    ),
    ("learning_rate_schedule", ["constant", "cosine", "linear"], "How the learning rates fall."),
    (
        "mixed_precision",
        ["none", "bfloat16", "auto"],
        "What convolutions and dense layers compute in: float32, bfloat16, or bfloat16 where the devices "
        "have instructions for it.",
    ),
]:
    flags.DEFINE_enum(_name, _default(_name), _choices, _help)
flags.DEFINE_float(
    "gradient_clip",
    _default("gradient_clip"),
    "Largest norm of the gradient; 0: no clipping.",
    lower_bound=0.0,
)
for _name, _help in {
    "resume": "Go on from the last checkpoint.",
    "xla": "Compile the training step with XLA.",
    "deterministic": "The same command ends with the same bits, at some cost in time.",
}.items():
    flags.DEFINE_bool(_name, _default(_name), _help)
for _name, _help, _least in [
    ("learning_rate_warmup", "Optimizer steps over which the learning rates first rise.", 0),
    ("checkpoint_steps", "Optimizer steps between checkpoints; 0: only at the end of epochs.", 0),
    ("keep_checkpoints", "How many of the latest checkpoints stay.", 1),
    ("validation_every", "Epochs between measurements on held-out images; 0: none.", 0),
    ("early_stopping", "Epochs without a better --best_measure after which training ends; 0: never.", 0),
]:
    flags.DEFINE_integer(_name, _default(_name), _help, lower_bound=_least)
flags.DEFINE_string(
    "best_measure",
    _default("best_measure"),
    "Measure whose best epoch becomes the explainer; empty: the last.",
)
flags.DEFINE_list("profile", [], "First and last step to profile for TensorBoard: 20,30.")

_group("Evaluation (evaluate)")
_default = _defaults(config.EvaluationConfig)
flags.DEFINE_enum(
    "evaluation_split",
    _default("split"),
    ["all", "train", "held_out"],
    "Images for the measures of parts.",
)
flags.DEFINE_list(
    "landmarks", list(_default("landmarks")), "Landmarks that parts are measured against; empty: all."
)
flags.DEFINE_integer(
    "bootstrap",
    _default("bootstrap"),
    "Resamples for the 95 % intervals of all figures; 0: none.",
    lower_bound=0,
)
flags.DEFINE_list(
    "compare",
    list(_default("compare")),
    "Work directories whose measures are laid side by side, instead of measuring one.",
)
for _name, _help in {
    "top_images": "Images a filter and landmark keep.",
    "sheet_filters": "Filters a layer on the contact sheet.",
    "sheet_images": "Images a filter on the contact sheet.",
}.items():
    flags.DEFINE_integer(_name, _default(_name), _help, lower_bound=1)


_group("TensorBoard (train, evaluate)")
_default = _defaults(config.SnapshotConfig)
for _name, _help in {
    "every": "Epochs between snapshots of the parts for TensorBoard; 0: none while training.",
    "images": "Images of a snapshot; 0: no snapshots.",
}.items():
    flags.DEFINE_integer(f"snapshot_{_name}", _default(_name), _help, lower_bound=0)


_group("Explanations of images (explain)")
_default = _defaults(config.ExplanationConfig)
flags.DEFINE_list("image", [], "Images to explain: files, folders or patterns; empty: held-out ones.")
flags.DEFINE_integer(
    "held_out_images", _default("held_out_images"), "How many held-out ones, without --image.", lower_bound=1
)
flags.DEFINE_string(
    "explained_class", None, "The class whose score is explained; default: what the performer says."
)
flags.DEFINE_integer("shown_parts", _default("parts"), "Parts a picture shows.", lower_bound=1, upper_bound=7)
flags.DEFINE_bool("html", _default("html"), "Write a page with all explanations, too.")
flags.DEFINE_string("explanations_dir", None, "Where explanations go; default: WORKDIR/explanations.")

_group("The export (export)")
flags.DEFINE_string("output", None, "Directory of the SavedModel; default: WORKDIR/exported.")


def _from_flags(cls: type[_Config], **renamed: str) -> _Config:
    """Builds a dataclass from the flags of its fields' names, or of those given in `renamed`."""
    values = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        value = FLAGS[renamed.get(field.name, field.name)].value
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


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
    settings = _from_flags(
        config.PerformerTrainingConfig,
        epochs="performer_epochs",
        learning_rate="performer_learning_rate",
        batch_size="performer_batch_size",
    )
    try:
        widths = tuple(int(width) for width in FLAGS.head_widths)
    except ValueError:
        widths = (0,)
    if not widths or min(widths) < 1:
        raise UserError(
            f"--head_widths={','.join(FLAGS.head_widths)} is not a list of positive whole numbers"
        )
    return dataclasses.replace(settings, head_widths=widths)


def extraction() -> config.ExtractionConfig:
    """Returns how features are computed and stored.

    Raises:
        UserError: there is no such view.
    """
    settings = _from_flags(config.ExtractionConfig, batch_size="extraction_batch_size")
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
    """Returns how the explainer is fitted."""
    return dataclasses.replace(_from_flags(config.TrainConfig), profile=_profiled_steps())


def _profiled_steps() -> tuple[int, ...]:
    try:
        steps = tuple(int(step) for step in FLAGS.profile)
    except ValueError:
        steps = (0,)
    if steps and not (len(steps) == 2 and 1 <= steps[0] <= steps[1]):
        raise UserError(
            f"--profile={','.join(FLAGS.profile)} is not a first and a last step, such as --profile=20,30"
        )
    return steps


def all_values() -> dict[str, Any]:
    """Returns every flag of this project with its value, for the record of a run."""
    return {flag.name: flag.value for flag in _ours()}


def evaluation() -> config.EvaluationConfig:
    """Returns what is measured and drawn."""
    return _from_flags(config.EvaluationConfig, split="evaluation_split")


def snapshot() -> config.SnapshotConfig:
    """Returns what TensorBoard's Parts tab gets to show."""
    return _from_flags(config.SnapshotConfig, every="snapshot_every", images="snapshot_images")


def explanation() -> config.ExplanationConfig:
    """Returns which images are explained."""
    return _from_flags(
        config.ExplanationConfig, images="image", parts="shown_parts", output="explanations_dir"
    )


def export() -> config.ExportConfig:
    """Returns where the SavedModel goes."""
    return _from_flags(config.ExportConfig)


def next_command(module: str, *, with_others: bool = False) -> str:
    """Returns a line with the command of the step that follows this one, with the flags of this one.

    Args:
        module: of that step.
        with_others: whether it gets Beam's options, too.
    """
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
    ours = [_help_of(flag) for flag in _ours()]
    ends = [start for _, start in _GROUPS[1:]] + [len(ours)]
    text = command_line.usage(
        purpose, [(title, ours[start:end]) for (title, start), end in zip(_GROUPS, ends, strict=True)]
    )
    others = [module for module in FLAGS.flags_by_module_dict() if module != __name__]
    return text + "".join(f"\n{FLAGS.module_help(module)}\n" for module in others if full)


def _help_of(flag: flags.Flag) -> FlagHelp:
    default = flag.default_as_str
    return FlagHelp(
        name=flag.name,
        default=default and default.strip("'"),
        text=flag.help,
        choices=tuple(getattr(flag.parser, "enum_values", ())),
        is_switch=flag.boolean,
    )


def _parse(argv: Sequence[str], pass_unknown: bool) -> list[str]:
    try:
        program, *_left_over[:] = FLAGS(argv, known_only=pass_unknown)
        return [program, *_left_over]
    except flags.Error as error:
        sys.stderr.write(f"Error: {error}\n--help tells of all flags.\n")
        sys.exit(1)


def _guarded(step: Callable[[Sequence[str]], None], arguments: Sequence[str], pass_unknown: bool) -> None:
    try:
        if arguments and not pass_unknown:
            raise UserError(f"unexpected argument {arguments[0]!r}: flags are written --name=value")
        terminal.prepare()
        absl_logging.set_verbosity(absl_logging.INFO)
        step(arguments)
    except UserError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)
