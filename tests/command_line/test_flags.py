import json
import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags as absl_flags
from absl.testing import flagsaver

from tf_explainer import config
from tf_explainer.command_line import flags
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
OURS = [flag.name for flag in flags.FLAGS.flags_by_module_dict()[flags.__name__]]


@pytest.fixture
def parse():
    """Parses a command line; the flags are as before afterwards."""

    def parse(*arguments):
        flags.FLAGS(["program", "--workdir=w", "--dataset=creatures", *arguments])

    with flagsaver.flagsaver():
        yield parse


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
        (["--views=flip,turn"], flags.extraction, "--views=flip,turn: 'turn' is none of flip, shift, crop"),
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


def run(step, *arguments, pass_unknown=False):
    """Runs a binary whose step is the given expression of `arguments`."""
    code = (
        "from tf_explainer.command_line import flags; from tf_explainer.errors import UserError\n"
        f"def main(arguments): {step}\n"
        f"flags.run(main, pass_unknown={pass_unknown})"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--no_such_flag=1", "no_such_flag"),
        ("--epochs=0", "epochs"),
        ("--flagfile=nowhere.flags", "nowhere.flags"),
        ("train", "'train'"),
    ],
)
def test_a_wrong_command_line_is_one_message(argument, words):
    result = run("print('ran')", argument)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr


def test_bad_input_is_one_message():
    result = run("raise UserError('--data_dir=x does not exist')")
    assert (result.returncode, result.stderr) == (1, "Error: --data_dir=x does not exist\n")


def test_a_bug_shows_its_traceback():
    result = run("raise ValueError('a bug')")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_an_interrupted_run_says_so():
    result = run("raise KeyboardInterrupt")
    assert (result.returncode, result.stderr) == (130, "Interrupted.\n")


def test_flags_of_others_are_handed_on_where_asked():
    result = run("print(arguments)", "--epochs=3", "--runner=FnApiRunner", pass_unknown=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "['--runner=FnApiRunner']\n"


BINARIES = [
    *(
        f"tf_explainer.{name}"
        for name in ("train_performer", "train", "evaluate", "explain", "export", "performers")
    ),
    *(
        f"pipelines.{name}"
        for name in ("extract_features", "verify_features", "explain_images", "dataflow_dry_run")
    ),
]


@pytest.mark.parametrize("binary", BINARIES)
def test_help_tells_purpose_command_line_and_flags(binary):
    command = [sys.executable, "-m", binary]
    result = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"\npython -m {binary} " in result.stdout
    _, flags_alone = result.stdout.split("Flags with their defaults")
    listed = re.findall(r"^  --(?:\[no\])?(\w+)", flags_alone, re.MULTILINE)
    assert listed == OURS
    assert "\nThe images:\n" in result.stdout
    assert "\n  --epochs=10  Passes over the images.\n" in result.stdout


def test_help_of_a_console_script_is_the_same():
    code = (
        "import sys; sys.argv[0] = 'tf-explainer-train'; from tf_explainer.train import run; sys.exit(run())"
    )
    script = subprocess.run([sys.executable, "-c", code, "--help"], cwd=ROOT, capture_output=True, text=True)
    module = subprocess.run(
        [sys.executable, "-m", "tf_explainer.train", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert script.returncode == 0
    assert script.stdout == module.stdout != ""


def test_the_full_help_has_the_flags_of_the_library_too():
    result = run("print('ran')", "--helpfull")
    assert (result.returncode, result.stderr) == (0, "")
    assert "--epochs=10" in result.stdout
    assert "--[no]logtostderr" in result.stdout
    assert "ran" not in result.stdout.splitlines()


def test_the_next_command_has_the_flags_but_not_those_of_others():
    step = "print(flags.next_command('a.b')); print(flags.next_command('a.b', with_others=True))"
    result = run(step, "--epochs=3", "--runner=X", "--workdir", "a b", pass_unknown=True)
    assert result.stdout.splitlines() == [
        "Next: python -m a.b --epochs=3 --workdir 'a b'",
        "Next: python -m a.b --epochs=3 --runner=X --workdir 'a b'",
    ]


def test_home_is_put_in_its_place_in_every_path(parse, monkeypatch, tmp_path):
    parse()
    monkeypatch.setenv("HOME", "/home/her")
    lines = tmp_path / "mine.flags"
    lines.write_text("--data_dir=~/photos/*.jpg\n--image=~/a.jpg\n--image=b.jpg\n")
    flags._parse(["program", "--workdir=~/runs/a", "--performer=~/m.keras", f"--flagfile={lines}"], False)
    assert flags.workdir().root == "/home/her/runs/a"
    assert flags.performer().performer == "/home/her/m.keras"
    assert flags.dataset().data_dir == "/home/her/photos/*.jpg"
    assert list(flags.explanation().images) == ["/home/her/a.jpg", "b.jpg"]


def test_a_flagfile_in_utf_16_is_named(parse, tmp_path, capsys):
    parse()
    lines = tmp_path / "mine.flags"
    lines.write_text("--seed=1\n", encoding="utf-16")
    with pytest.raises(SystemExit):
        flags._parse(["program", f"--flagfile={lines}"], False)
    assert capsys.readouterr().err.startswith(
        f"Error: --flagfile={lines} is written in UTF-16: save it as UTF-8"
    )


def test_a_full_disk_is_one_line(capsys):
    def step(_):
        raise RuntimeError("saving") from OSError(28, "No space left on device", "runs/a/performer.keras")

    with pytest.raises(SystemExit):
        flags._guarded(step, [], False)
    said = capsys.readouterr().err
    assert said.startswith("Error: the disk is full where runs/a/performer.keras was to be written")
    assert said.count("\n") == 1
