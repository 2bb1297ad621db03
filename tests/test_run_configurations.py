import pathlib
import re

import pytest
from absl.testing import flagsaver

from tf_explainer.command_line import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES = sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("configs/**/*.flags"))
SHARED = ("configs/base.flags", "configs/categories.flags", "configs/paper/paper.flags")
RUNS = [file for file in FILES if file not in SHARED]
BINARIES = (
    "tf_explainer.train_performer",
    "pipelines.extract_features",
    "tf_explainer.train",
    "tf_explainer.evaluate",
)


@pytest.fixture
def parse(monkeypatch):
    """Parses a flagfile strictly, as the binaries do in the project's root."""
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        yield lambda file: flags.FLAGS(["program", f"--flagfile={file}"])


def header(file):
    """The comment that a flagfile opens with."""
    lines = (ROOT / file).read_text().splitlines()
    return [line for line in lines[: lines.index("")] if line.startswith("#")]


def test_there_are_flagfiles():
    assert {
        "configs/base.flags",
        "configs/vgg.flags",
        "configs/mobilenet.flags",
        "configs/vgg_animals.flags",
        "configs/demo.flags",
        "configs/paper/cub200.flags",
        "configs/paper/ilsvrc_animal_part.flags",
        "configs/paper/pascal_part_multi.flags",
        "configs/paper/pascal_part_single.flags",
    } <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_it_parses_and_knows_every_flag(parse, file):
    assert parse(file) == ["program"]


@pytest.mark.parametrize("file", RUNS)
def test_its_settings_fit_each_other(parse, file):
    parse(file)
    for settings in (
        flags.workdir,
        flags.dataset,
        flags.performer,
        flags.performer_training,
        flags.extraction,
        flags.explainer,
        flags.training,
        flags.evaluation,
    ):
        settings()


@pytest.mark.parametrize("file", RUNS)
def test_it_opens_with_its_commands_the_paper_and_what_to_expect(file):
    text = "\n".join(header(file))
    for binary in BINARIES:
        assert re.search(rf"python -m {re.escape(binary)} +--flagfile={re.escape(file)}\n", text), binary
    assert re.search(r"^# Paper: +.*section \d", text, re.MULTILINE)
    assert re.search(r"^# Expect: ", text, re.MULTILINE)


@pytest.mark.parametrize("file", RUNS)
def test_it_rests_on_the_shared_one_and_has_a_directory_of_its_own(file):
    lines = (ROOT / file).read_text().splitlines()
    settings = [line for line in lines if line.startswith("--")]
    assert settings[0] == "--flagfile=configs/base.flags"
    shared = [f"--flagfile={file}" for file in SHARED]
    assert {line for line in settings if line.startswith("--flagfile")} <= set(shared)
    names = [line.partition("=")[0] for line in settings if line not in shared]
    assert len(names) == len(set(names)), "a flag is set twice"


def test_no_two_runs_share_a_directory(parse):
    roots = []
    for file in RUNS:
        parse(file)
        roots.append(flags.workdir().root)
    assert len(set(roots)) == len(roots)


@pytest.mark.parametrize("file", [file for file in RUNS if file.startswith("configs/paper/")])
def test_runs_of_the_papers_have_the_papers_settings(parse, file):
    parse(file)
    explainer, training = flags.explainer(), flags.training()
    assert explainer.mask_beta_1 == explainer.mask_beta_2 == explainer.template_beta == 4
    assert explainer.filter_loss == "closed_form"
    assert training.filter_weight_schedule == "reciprocal"
    own = ("prototype", "consensus", "competition", "equivariance")
    assert not any(getattr(explainer, f"{term}_weight") for term in own)
