"""What the README names exists; its commands parse."""

import importlib.util
import pathlib
import re
import shlex

import pytest
from absl.testing import flagsaver

from tf_explainer.__main__ import COMMANDS as MODULES
from tf_explainer.command_line import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line]
COMMANDS = [shlex.split(line) for line in LINES + re.findall(r"\| `(python [^`]+)` \|", TEXT)]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "python"], ids=" ".join)
def test_a_command_parses(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert command[1] == "-m"
    _, _, module, *arguments = command
    if module == "tf_explainer":
        module, *arguments = MODULES[arguments[0]], *arguments[1:]
    assert importlib.util.find_spec(module)
    with flagsaver.flagsaver():
        assert flags.FLAGS([module, *arguments]) == [module]
        flags.performer()
        if module != "tf_explainer.command_line.run":  # What is left out there is taken for granted.
            flags.workdir()
            flags.dataset()


def test_a_make_target_exists():
    targets = re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(
        re.findall(r"\bmake ([a-z_]+)(?=[`\s])", "\n".join([*BLOCKS, *re.findall(r"`make \w+`", TEXT)]))
    )
    assert named >= {"demo", "setup", "test", "lint"}
    assert named <= set(targets)


def test_a_flag_exists():
    named = set(re.findall(r"--([a-z_]+)", TEXT)) - {"help", "flagfile", "direct_num_workers", "logdir"}
    assert named >= {"data_dir", "performer"}
    assert named <= set(flags.FLAGS)


def test_a_link_and_a_path_exist():
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT) if not link.startswith("https://")]
    paths = re.findall(r"`((?:configs|docs|pipelines|tests|tf_explainer|tools)/[\w./]+)`", TEXT)
    assert links
    assert paths
    assert [name for name in links + paths if not (ROOT / name).exists()] == []


def test_an_anchor_exists():
    anchors = re.findall(r"\]\(([^)#]+)#([^)]+)\)", TEXT)
    assert anchors
    for document, anchor in anchors:
        headings = re.findall(r"^#+ (.*)$", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_it_is_read_in_a_few_minutes():
    prose = re.sub(r"```.*?```", " ", TEXT, flags=re.DOTALL)
    words = re.sub(r"!?\[|\]\([^)]*\)|^\|.*$", " ", prose, flags=re.MULTILINE).split()
    assert 300 < len(words) <= 650
