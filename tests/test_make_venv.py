"""The script behind `make setup`, on an index of small packages, in a folder with a space in its name."""

import fcntl
import functools
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from tests.support import package_index

ROOT = pathlib.Path(__file__).resolve().parents[1]
NO_ENSUREPIP = 'case "$*" in *ensurepip*|*"-m pip"*) exit 1;; esac'
PINNED = {"asking": "1.0", "base": "1.0", "legacy": "0.1"}


@pytest.fixture
def project(tmp_path):
    """A project without packages."""
    folder = tmp_path / "my project"
    for name in ("tools", "requirements"):
        (folder / name).mkdir(parents=True)
    for name in ("make_venv.sh", "environment.py"):
        shutil.copy(ROOT / "tools" / name, folder / "tools")
    for name in ("installer", "core", "dev", "beside"):
        (folder / "requirements" / f"{name}.txt").touch()
    return folder


def stub(folder, name, *lines):
    """Writes a shell script that stands for a program."""
    file = folder / name
    folder.mkdir(exist_ok=True)
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)
    return file


def start(project, *arguments, path=None, **environment):
    return subprocess.Popen(
        [project / "tools" / "make_venv.sh", *arguments],
        env=os.environ | {"PATH": f"{path}:/usr/bin:/bin" if path else os.environ["PATH"]} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make(project, *arguments, **environment):
    process = start(project, *arguments, **environment)
    process.stdout_text, process.stderr_text = process.communicate(timeout=300)
    return process


def this_python():
    return f"--python={sys.executable}"


def venv_says(project, code):
    command = [project / ".venv" / "bin" / "python", "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def installed(project):
    """What is in .venv by its own account, without what installs the rest."""
    listed = "{d.name: d.version for d in importlib.metadata.distributions()}"
    code = f"import importlib.metadata, json; print(json.dumps({listed}))"
    return {k: v for k, v in json.loads(venv_says(project, code)).items() if k in {*PINNED, "extra", "small"}}


@functools.cache
def environment_module():
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("python", ["no_such_python", "/bin/false"])
def test_a_python_that_does_not_do_is_refused(project, python):
    result = make(project, f"--python={python}")
    assert result.returncode == 1
    assert f"PYTHON={python}" in result.stderr_text
    assert not (project / ".venv").exists()


def test_names_that_do_not_run_are_passed_over(project, tmp_path):
    for name in ("python3.12", "python3.11", "python3.13", "python3"):
        stub(tmp_path / "bin", name, "echo 'not installed' >&2; exit 127")
    stub(tmp_path / "bin", "python", f'exec "{sys.executable}" "$@"')
    result = make(project, "no_such_environment", path=tmp_path / "bin")
    assert (
        "there is no environment 'no_such_environment'; choose from beside, core, dev, installer"
        in result.stderr_text
    )


def test_no_python_at_all_says_what_to_do(project, tmp_path):
    for name in ("python3.12", "python3.11", "python3.13", "python3", "python"):
        stub(tmp_path / "bin", name, "exit 127")
    result = make(project, path=tmp_path / "bin")
    assert result.returncode == 1
    assert "make setup PYTHON=" in result.stderr_text


def test_a_python_without_pip_says_what_to_install(monkeypatch, tmp_path):
    module = environment_module()
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / ".venv" / "unfinished")
    monkeypatch.setattr(module, "has", lambda *modules: "ensurepip" not in modules)
    monkeypatch.setattr(module, "output", lambda _: "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(module.SetupError, match=r"apt install python3\.\d+-venv"):
        module.make_empty()
    assert (tmp_path / ".venv" / "unfinished").exists()


def test_a_full_disk_is_named_with_what_to_do():
    message = environment_module().reason(
        ["ERROR: Could not install: [Errno 28] No space left on device: 'x'\n"]
    )
    assert "the disk is full. Free: " in message
    assert "GB here" in message


def test_every_lock_file_has_hashes_and_names_no_index():
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert {file.stem for file in files} >= {
        "installer",
        "core",
        "gcp",
        "gpu",
        "dev",
        "notebook",
        "onnx",
        "flink",
    }
    for file in files:
        lines = file.read_text().replace("\\\n", " ").splitlines()
        assert lines, file
        assert all("==" in line and "--hash=sha256:" in line for line in lines), file
        assert "://" not in file.read_text(), file


def test_lock_files_agree_where_they_share_a_package():
    pins = {}
    for file in (ROOT / "requirements").glob("*.txt"):
        for line in file.read_text().splitlines():
            if "==" in line:
                name, _, rest = line.partition("==")
                pins.setdefault((name.split("[")[0], rest.partition(";")[2]), set()).add(rest.split()[0])
    assert len(pins) > 100
    assert not {name: versions for name, versions in pins.items() if len(versions) > 1}


def test_what_an_environment_contains_is_in_its_lock_file():
    module = environment_module()

    def names(environment):
        return {
            line.split("==")[0].split("[")[0]
            for line in module.lock_file(environment).read_text().splitlines()
            if "==" in line
        }

    assert set(module.CONTAINED) >= {"gcp", "gpu", "dev", "notebook"}
    for environment, contained in module.CONTAINED.items():
        for part in contained:
            assert names(part) <= names(environment), (environment, part)


# From here on environments are made. What installs the rest comes from the index that this machine uses.

LONG = (pytest.mark.slow, pytest.mark.long)
PIPS = ["22.0.4", "23.0.1", "23.2.1", "24.0", "26.3", None]


@pytest.fixture(scope="session")
def download(tmp_path_factory):
    """Downloads packages into a folder, once for the same arguments of pip."""
    environment = dict(os.environ)  # Tests shut out the index that this machine uses.

    @functools.cache
    def download(*arguments):
        folder = tmp_path_factory.mktemp("downloads")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        got = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True)
        if got.returncode:
            pytest.skip(f"needs a package index for {arguments[-1]}: {got.stderr.strip().splitlines()[-1]}")
        return folder

    return download


@pytest.fixture(name="index")
def _index(project, download, monkeypatch):
    """An index with a newer release of `base`, which `asking` wants by an extra.

    That is what google-cloud-bigquery and google-auth were to each other: pip before 23.3 looked for the
    extra anew, found the newer release, and refused it because it was not pinned.
    """
    folder = project.parent / "index"
    lock = ROOT / "requirements" / "installer.txt"
    shutil.copytree(download("--require-hashes", "--requirement", lock), folder)
    package_index.add_wheel(folder, "asking", "1.0", requires=["base[more]>=1.0"])
    package_index.add_wheel(folder, "base", "1.0", requires=["extra; extra == 'more'"], extras=["more"])
    package_index.add_source(folder, "legacy", "0.1")
    package_index.add_wheel(folder, "extra", "3.0")
    package_index.add_wheel(folder, "small", "1.0")
    lines = [package_index.pin(folder, name, version) for name, version in PINNED.items()]
    lines.append(package_index.pin(folder, "extra", "3.0"))
    package_index.add_wheel(folder, "base", "2.0", requires=["extra; extra == 'more'"], extras=["more"])
    (project / "requirements" / "core.txt").write_text("".join(lines))
    (project / "requirements" / "beside.txt").write_text(package_index.pin(folder, "small", "1.0"))
    shutil.copy(ROOT / "requirements" / "installer.txt", project / "requirements")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def environment_by_hand(project, download, pip):
    """Makes .venv as a person would, with a release of pip; None: that of this interpreter."""
    subprocess.run(
        [sys.executable, "-m", "venv", *(["--without-pip"] if pip else []), project / ".venv"], check=True
    )
    if pip:
        (wheel,) = download(f"pip=={pip}").iterdir()
        command = [
            project / ".venv" / "bin" / "python",
            f"{wheel}/pip",
            "install",
            "--quiet",
            "--no-index",
            wheel,
        ]
        subprocess.run(command, check=True)


@pytest.mark.parametrize(
    "pip", [*(pytest.param(pip, marks=LONG) for pip in PIPS if pip != "23.2.1"), "23.2.1"]
)
@pytest.mark.usefixtures("index")
def test_every_pip_gives_the_pinned_set(project, download, pip):
    if pip and pip.startswith(("22", "23.0")) and sys.version_info >= (3, 12):
        pytest.skip(f"pip {pip} does not run on Python 3.12 or newer")
    environment_by_hand(project, download, pip)
    (project / ".venv" / "mine").touch()
    result = make(project)
    assert result.returncode == 0, result.stderr_text
    assert "Installing into the .venv that is here" in result.stderr_text
    assert (project / ".venv" / "mine").exists()
    assert installed(project) == PINNED | {"extra": "3.0"}
    assert make(project).stderr_text == ""


@pytest.mark.slow
def test_nothing_from_outside_leaks_in(project, index, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            f"--target={elsewhere}",
            "base==1.0",
        ],
        check=True,
    )
    (elsewhere / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links = {index}\n[install]\nuser = true\nrequire-hashes = true\n"
        f"only-binary = :all:\ntarget = {tmp_path / 'target'}\n"
    )
    outside = {
        "PYTHONPATH": str(elsewhere),
        "PYTHONHOME": "/nowhere",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_PREFIX": str(tmp_path / "prefix"),
        "PIP_ROOT": str(tmp_path / "root"),
        "PIP_USER": "1",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_ONLY_BINARY": ":all:",
        "PIP_CONSTRAINT": str(tmp_path / "no_such_file"),
        "PIP_CONFIG_FILE": str(elsewhere / "pip.conf"),
    }
    (project / "pyproject.toml").write_text(
        '[project]\nname = "ours"\nversion = "1"\n[tool.setuptools]\npackages = []\n'
    )
    os.environ.pop("PIP_FIND_LINKS"), os.environ.pop("PIP_NO_INDEX")
    result = make(project, this_python(), **outside)
    assert result.returncode == 0, result.stderr_text
    assert installed(project) == PINNED | {"extra": "3.0"}
    assert venv_says(project, "import importlib.metadata as m; print(m.version('ours'))") == "1"
    assert not [name for name in ("target", "prefix", "root") if (tmp_path / name).exists()]


@pytest.mark.slow
def test_it_is_made_once_and_again_where_it_has_to_be(project, index):
    def remade(*arguments):
        (project / ".venv" / "mine").touch()
        result = make(project, *arguments)
        assert result.returncode == 0, result.stderr_text
        return not (project / ".venv" / "mine").exists()

    assert make(project, this_python()).returncode == 0
    assert not (project / ".venv" / "unfinished").exists()
    assert not remade(), "it was whole, and made again"
    assert not remade(this_python()), "it was of that Python, and made again"

    (project / "requirements" / "dev.txt").write_text(package_index.pin(index, "small", "1.0"))
    assert not remade("dev"), "what was missing could be added"
    assert installed(project)["small"] == "1.0"
    assert not remade("core"), "dev has core's packages as well"

    (project / ".venv" / "unfinished").touch()
    assert remade(), "it was half-made, and kept"

    with (project / "requirements" / "core.txt").open("a") as file:
        file.write("# Changed.\n")
    assert remade(), "it was of another lock file, and kept"

    # As an interrupted `rm -rf .venv` may leave it.
    for name in ("installed", "lib/python*/site-packages/asking.py"):
        (file,) = (project / ".venv").glob(name)
        file.unlink()
    assert remade(), "it was half removed, and kept"
    assert installed(project) == PINNED | {"extra": "3.0"}


@pytest.mark.slow
@pytest.mark.usefixtures("index")
def test_packages_beside_the_environment_are_those_of_the_lock_file(project):
    assert make(project, this_python()).returncode == 0
    result = make(project, "--into=build/beside", "beside")
    assert result.returncode == 0, result.stderr_text
    assert (project / "build" / "beside" / "small.py").exists()
    assert "small" not in installed(project)
    assert make(project, "--into=build/beside", "beside").stderr_text == ""


def test_a_second_set_up_waits_for_the_first(project):
    (project / ".venv.lock").touch()
    with (project / ".venv.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = start(project, this_python(), PIP_NO_INDEX="1")
        assert second.stderr.readline() == "Waiting for another set-up of this folder to end\n"
        time.sleep(0.3)
        assert second.poll() is None
        assert not (project / ".venv").exists()
    assert second.stderr.readline().startswith("Making .venv by ")
    second.kill()
    second.communicate()


@pytest.mark.slow
def test_an_index_that_does_not_answer_is_named_with_what_to_do(project):
    shutil.copy(ROOT / "requirements" / "installer.txt", project / "requirements")
    dead = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_FIND_LINKS": ""}
    result = make(project, this_python(), **dead)
    assert result.returncode == 1
    last = result.stderr_text.splitlines()[-1]
    assert last.startswith("Error: the package index does not answer")
    assert "PIP_INDEX_URL=" in last
    assert (project / ".venv" / "unfinished").exists()
