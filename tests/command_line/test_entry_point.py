import pathlib
import re
import subprocess
import sys

import pytest

from tf_explainer.command_line import entry_point, flags
from tf_explainer.command_line.setting import declared

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(step, *arguments, pass_unknown=False):
    """Runs a binary whose step is the given expression of `arguments`."""
    code = (
        "from tf_explainer.command_line import entry_point; from tf_explainer.errors import UserError\n"
        f"def main(arguments): {step}\n"
        f"entry_point.run(main, pass_unknown={pass_unknown})"
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
    assert listed == [flag.name for flag in declared()]
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
    step = "print(entry_point.next_command('a.b')); print(entry_point.next_command('a.b', with_others=True))"
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
    entry_point._parse(
        ["program", "--workdir=~/runs/a", "--performer=~/m.keras", f"--flagfile={lines}"], False
    )
    assert flags.workdir().root == "/home/her/runs/a"
    assert flags.performer().performer == "/home/her/m.keras"
    assert flags.dataset().data_dir == "/home/her/photos/*.jpg"
    assert list(flags.explanation().images) == ["/home/her/a.jpg", "b.jpg"]


def test_a_flagfile_in_utf_16_is_named(parse, tmp_path, capsys):
    parse()
    lines = tmp_path / "mine.flags"
    lines.write_text("--seed=1\n", encoding="utf-16")
    with pytest.raises(SystemExit):
        entry_point._parse(["program", f"--flagfile={lines}"], False)
    assert capsys.readouterr().err.startswith(
        f"Error: --flagfile={lines} is written in UTF-16: save it as UTF-8"
    )


def test_a_full_disk_is_one_line(capsys):
    def step(_):
        raise RuntimeError("saving") from OSError(28, "No space left on device", "runs/a/performer.keras")

    with pytest.raises(SystemExit):
        entry_point._guarded(step, [], False)
    said = capsys.readouterr().err
    assert said.startswith("Error: the disk is full where runs/a/performer.keras was to be written")
    assert said.count("\n") == 1
