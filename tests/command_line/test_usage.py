import pytest

from tf_explainer.command_line import usage as command_line
from tf_explainer.command_line.usage import FlagHelp, following, usage

MODULE = "pipelines.extract_features"


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        (["python", "-m", "tf_explainer.train", "--seed=1"], ["python", "-m", MODULE]),
        ([".venv/bin/python", "-W", "ignore", "-m", "x"], [".venv/bin/python", "-W", "ignore", "-m", MODULE]),
        (
            ["/bin/python3", "/somewhere/bin/tf-explainer-train"],
            ["/somewhere/bin/tf-explainer-extract-features"],
        ),
        (["python", "-c", "pass"], ["python", "-m", MODULE]),
    ],
)
def test_the_next_command_is_started_as_this_one_was(started, expected):
    assert command_line.command(MODULE, started) == expected


def test_a_script_on_the_path_is_named_without_its_folder(tmp_path, monkeypatch):
    for name in ("tf-explainer-train", "tf-explainer-extract-features"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    started = ["python", str(tmp_path / "tf-explainer-train")]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line.command(MODULE, started) == ["tf-explainer-extract-features"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_line.command(MODULE, started) == [str(tmp_path / "tf-explainer-extract-features")]


def test_the_flags_of_the_user_are_handed_on_as_one_types_them():
    arguments = ["--flagfile=a.flags", "--workdir", "runs/a", "--categories=giant panda", "--dry_run"]
    assert following("tf_explainer.train", ["python", "-m", "x"], arguments) == (
        "python -m tf_explainer.train --flagfile=a.flags --workdir runs/a '--categories=giant panda'"
    )


def test_what_the_next_step_does_not_know_is_left_out():
    arguments = ["--runner=X", "--seed=1", "--temp_location", "gs://a", "--workdir=w"]
    left_over = ["--runner=X", "--temp_location", "gs://a"]
    assert (
        following("a.b", ["python", "-m", "x"], arguments, left_over) == "python -m a.b --seed=1 --workdir=w"
    )


def test_help_has_purpose_groups_and_defaults():
    text = usage(
        "Trains.\n\npython -m train\n",
        [
            ("One", [FlagHelp(name="rate", default="0.5", text="A step. " * 30)]),
            (
                "Two",
                [
                    FlagHelp(name="kind", default="a", choices=("a", "b"), text="Which."),
                    FlagHelp(name="fast", default="true", is_switch=True, text="Whether."),
                    FlagHelp(name="name", default=None, text="What."),
                ],
            ),
        ],
    )
    lines = text.splitlines()
    assert text.startswith("Trains.\n\npython -m train\n\nFlags")
    assert lines.index("One:") < lines.index("Two:")
    assert "  --kind=a (a, b)  Which." in lines
    assert "  --[no]fast (on)  Whether." in lines
    assert "  --name=...  What." in lines
    assert max(map(len, lines)) <= 100
