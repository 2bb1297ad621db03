"""What docs/ and CONTRIBUTING.md name exists, and their commands parse. The README has a test of its own."""

import ast
import importlib.util
import pathlib
import re
import shlex
import string
import tomllib

import pytest
from absl.testing import flagsaver

from tf_explainer.__main__ import COMMANDS
from tf_explainer.command_line import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("CONTRIBUTING.md", "THIRD_PARTY.md", ".github/pull_request_template.md")),
]
TEXTS = {
    document.relative_to(ROOT).as_posix(): document.read_text(encoding="utf-8") for document in DOCUMENTS
}
# Stands in the documents for "the same flags as everywhere".
FLAGS = "--flagfile=configs/vgg.flags"


def commands():
    """Every command line of our own binaries, with the document that it stands in."""
    for document, text in TEXTS.items():
        joined = text.replace("\\\n", " ")
        variables = dict(re.findall(r"^export (\w+)=\"?([^\"\n]*)", joined, re.MULTILINE))
        for block in re.findall(r"```sh\n(.*?)```", joined, re.DOTALL):
            for line in block.splitlines():
                whole = string.Template(line).safe_substitute(variables)
                words = shlex.split(whole.replace(" FLAGS", f" {FLAGS}"), comments=True)
                if words[:2] == ["python", "-m"] and words[2].startswith(("tf_explainer", "pipelines")):
                    yield pytest.param(document, with_module(words[2:]), id=f"{document}: {line}")


def with_module(command):
    """Puts the module of its own in the place of `tf_explainer COMMAND`."""
    return [COMMANDS[command[1]], *command[2:]] if command[0] == "tf_explainer" else command


def write_files_of(document, folder):
    """Writes the files that a document has its reader write, as `cat > NAME <<END`."""
    files = dict(re.findall(r"^cat > (\S+) <<END\n(.*?)^END$", TEXTS[document], re.DOTALL | re.MULTILINE))
    for name, content in files.items():
        (folder / name).write_text(content)
    return files


def named(pattern):
    return sorted(
        {(document, match) for document, text in TEXTS.items() for match in re.findall(pattern, text)}
    )


def test_there_are_documents():
    assert {"docs/datasets.md", "docs/design.md", "docs/method.md"} <= set(TEXTS)


@pytest.mark.parametrize(("document", "command"), list(commands()))
def test_a_command_parses(document, command, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    for name in write_files_of(document, tmp_path):
        command = [word.replace(f"--flagfile={name}", f"--flagfile={tmp_path / name}") for word in command]
    spec = importlib.util.find_spec(command[0])
    assert spec
    takes_any = "pass_unknown=True" in pathlib.Path(spec.origin).read_text(encoding="utf-8")
    with flagsaver.flagsaver():
        rest = flags.FLAGS(command, known_only=takes_any)[1:]
        assert all(takes_any and flag.startswith("--") for flag in rest)
        for settings in (flags.training, flags.explainer, flags.evaluation, flags.performer):
            settings()


@pytest.mark.parametrize(("document", "link"), named(r"\]\(([^)#\s]+)(?:#[^)]*)?\)"))
def test_a_link_leads_somewhere(document, link):
    if "://" not in link:
        assert ((ROOT / document).parent / link).exists()


def anchors(text):
    """What a link may name behind `#`: the headings, as GitHub and others write them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize(("document", "link"), named(r"\]\(([^)\s]*#[^)\s]+)\)"))
def test_an_anchor_leads_somewhere(document, link):
    if "://" not in link:
        name, _, anchor = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        assert anchor in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("document", "link"), named(r"(\[`\w+\.\w+`\]\([^)]+\.py\))"))
def test_a_linked_name_is_in_its_module(document, link):
    module, name, path = re.fullmatch(r"\[`(\w+)\.(\w+)`\]\((.*)\)", link).groups()
    file = (ROOT / document).parent / path
    defined = {
        node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if hasattr(node, "name")
    }
    assert file.stem == module
    assert name in defined


def proofs_of_models():
    """The tests that the table of models names, as FILE or FILE::FUNCTION, below tests or tests/performer."""
    rows = [line for line in TEXTS["docs/performers.md"].splitlines() if re.search(r"`(\w+/)*test_\w+", line)]
    table = [line.split("|")[-2] for line in rows if line.startswith("| ")]
    return [proof for cell in table for proof in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("proof", sorted(set(proofs_of_models())))
def test_a_kind_of_model_has_a_test(proof):
    name, _, function = proof.partition("::")
    folders = [ROOT / "tests" / "performer", ROOT / "tests"]
    (path,) = [folder / f"{name}.py" for folder in folders if (folder / f"{name}.py").exists()]
    defined = {
        node.name for node in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(node, "name")
    }
    assert not function or function in defined


def test_every_kind_of_model_names_a_test():
    assert len(proofs_of_models()) >= 30


@pytest.mark.parametrize(("document", "target"), named(r"(?:^|`)make ([a-z_]+)\b"))
def test_a_make_target_exists(document, target):
    targets = re.findall(r"^([a-z_]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert target in targets, document


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.stem
)
def test_an_issue_form_asks_what_the_doctor_says(form):
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.stem == "config":
        assert found == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(found)
    asked = {each["id"]: each["attributes"]["label"] for each in found["body"]}
    assert "`tf-explainer doctor`" in asked["doctor"]
    assert "doctor" in COMMANDS


def test_every_kind_of_issue_has_a_form():
    assert {path.stem for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")} == {
        "bug",
        "idea",
        "config",
    }


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("CITATION.cff", "\nversion: {}\n"),
        ("MODULE.bazel", '\n    version = "{}",\n'),
        ("docs/dataflow.md", "dist/tf_explainer-{}-py3-none-any.whl"),
    ],
)
def test_a_file_has_the_projects_version(file, line):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert line.format(version) in (ROOT / file).read_text(encoding="utf-8")
