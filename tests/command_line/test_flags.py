import json
import pathlib

import pytest
from absl import flags as absl_flags
from absl.testing import flagsaver

from tf_explainer import config
from tf_explainer.command_line import flags
from tf_explainer.command_line.setting import declared
from tf_explainer.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILDERS = {
    flags.workdir: config.WorkDir(root="w"),
    flags.dataset: config.DatasetConfig(dataset="creatures"),
    flags.performer: config.PerformerConfig(),
    flags.performer_training: config.PerformerTrainingConfig(),
    flags.extraction: config.ExtractionConfig(),
    flags.dry_run: config.DryRunConfig(),
    flags.verification: config.VerificationConfig(),
    flags.explainer: config.ExplainerConfig(),
    flags.explanation_file: config.ExplanationFileConfig(),
    flags.training: config.TrainConfig(),
    flags.evaluation: config.EvaluationConfig(),
    flags.snapshot: config.SnapshotConfig(),
    flags.attribution: config.AttributionConfig(),
    flags.explanation: config.ExplanationConfig(),
    flags.export: config.ExportConfig(),
    flags.chain: config.ChainConfig(),
}
OURS = [flag.name for flag in declared()]


def built():
    return {builder.__name__: builder() for builder in BUILDERS}


def another_value(flag):
    """Returns some value other than the flag's own, as one writes it."""
    if flag.flag_type() == "bool":
        return str(not flag.value).lower()
    if flag.flag_type() == "int":
        return str(flag.value + 1)
    if flag.flag_type() == "float":
        return str((flag.value or 1) / 2)
    if "enum" in flag.flag_type():
        return next(value for value in flag.parser.enum_values if value != flag.value)
    return {"profile": "17,18", "views": "flip"}.get(flag.name, "17")


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
def test_the_defaults_of_flags_are_those_of_the_settings(parse, builder):
    parse()
    assert builder() == BUILDERS[builder]


@pytest.mark.parametrize("name", OURS)
def test_every_flag_sets_one_setting(parse, name):
    parse()
    before = built()
    parse(f"--{name}={another_value(flags.FLAGS[name])}")
    assert sum(before[room] != settings for room, settings in built().items()) == (2 if name == "seed" else 1)


def test_settings_are_plain_values(parse):
    parse("--distilled_layers=a,b", "--categories=fox,giant panda", "--head_widths=8,4")
    assert flags.performer().distilled_layers == ("a", "b")
    assert flags.dataset().categories == ("fox", "giant panda")
    assert flags.performer_training().head_widths == (8, 4)
    json.dumps([vars(settings) for settings in built().values()])


@pytest.mark.parametrize("name", OURS)
def test_every_flag_says_what_it_is(name):
    assert flags.FLAGS[name].help


@pytest.mark.parametrize(
    "argument",
    [
        "--image_size=7",
        "--num_images=0",
        "--folds=1",
        "--held_out_fold=-1",
        "--head_dropout=1",
        "--jpeg_quality=101",
        "--max_dead_letters=1.5",
        "--init_shift=2",
        "--initial_part_share=1",
        "--statistics_momentum=1",
        "--filter_weight=-1",
        "--epochs=0",
        "--batch_size=0",
        "--seed=-1",
        "--encoding=zip",
        "--evaluation_split=test",
        "--interpretable_init=zeros",
        "--epochs=many",
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_flags_name(parse, argument):
    with pytest.raises(absl_flags.IllegalFlagValueError, match=argument.split("=")[0].lstrip("-")):
        parse(argument)


@pytest.mark.parametrize(
    ("arguments", "builder", "words"),
    [
        (["--folds=5", "--held_out_fold=5"], flags.dataset, "--held_out_fold=5.*0 to 4"),
        (["--head_widths=512,0"], flags.performer_training, "--head_widths=512,0"),
        (
            ["--views=flip,turn"],
            flags.extraction,
            "--views=flip,turn: 'turn' is not one of flip, shift, crop",
        ),
        (["--head_widths=wide"], flags.performer_training, "--head_widths=wide"),
        (["--head_widths="], flags.performer_training, "--head_widths="),
        (["--profile=5"], flags.training, "--profile=5 is not"),
        (["--profile=9,5"], flags.training, "--profile=9,5"),
        (["--profile=a,b"], flags.training, "--profile=a,b"),
    ],
)
def test_values_that_do_not_fit_are_refused(parse, arguments, builder, words):
    parse(*arguments)
    with pytest.raises(UserError, match=words):
        builder()


def test_the_order_of_views_says_nothing(parse):
    parse("--views=crop,flip,crop")
    assert flags.extraction().views == ("flip", "crop")


@pytest.mark.parametrize(("builder", "name"), [(flags.workdir, "--workdir"), (flags.dataset, "--dataset")])
def test_what_must_be_said_is_asked_for(builder, name):
    with flagsaver.flagsaver(workdir=None, dataset=None):
        flags.FLAGS(["program"])
        with pytest.raises(UserError, match=name):
            builder()


def test_a_flagfile_can_be_overridden_behind_it(parse, tmp_path):
    file = tmp_path / "a.flags"
    file.write_text("# A comment.\n--epochs=3\n")
    parse("--epochs=2", f"--flagfile={file}")
    assert flags.training().epochs == 3
    parse(f"--flagfile={file}", "--epochs=2")
    assert flags.training().epochs == 2
