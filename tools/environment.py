"""Installs exactly the packages of lock files in requirements/, and the project itself, into .venv.

    tools/make_venv.sh [--python=PYTHON] [ENVIRONMENT ...]

ENVIRONMENT is the name of a lock file; the default is core, which the demo needs. Several add up. The project
is installed in editable mode, because TensorBoard looks for plugins among installed packages.

No resolver runs: a lock file is complete, so pip installs its lines as they are (`--no-deps`), each with its
hash. `requirements/installer.txt` comes first, so that the rest does not depend on the interpreter's pip.

.venv/unfinished exists while the environment is being created, so that an interrupted one is detected and
created again. .venv/installed lists the files that were installed from, and .venv.log has the output of pip.
This file needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "unfinished"
INSTALLED = VENV / "installed"
LOG = ROOT / ".venv.log"
LOCK = ROOT / ".venv.lock"
INSTALLER = "installer"
# Lock files whose packages a lock file includes.
CONTAINED = {"dev": ("gcp", "notebook", "core"), "gcp": ("core",), "gpu": ("core",), "notebook": ("core",)}
# Settings of pip about the connection to an index. All others are dropped, as they could change what is
# installed, or where (PIP_TARGET, PIP_USER, ...).
KEPT_SETTINGS = {
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"),
    *("PIP_PROXY", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_TRUSTED_HOST", "PIP_KEYRING_PROVIDER", "PIP_NO_INPUT"),
    *("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR"),
}
# Downloads of at least this many megabytes are printed.
LARGE = 20


class SetupError(Exception):
    """The environment could not be created; the message says why and what to do."""


def main(arguments: Sequence[str]) -> None:
    """Brings .venv, or the folder of --into, up to date."""
    parser = argparse.ArgumentParser(
        usage="tools/make_venv.sh [--python=PYTHON] [--into=FOLDER] [ENVIRONMENT ...]"
    )
    parser.add_argument("--requested", action="store_true", help="the user chose this interpreter")
    parser.add_argument("--into", type=pathlib.Path, help="folder for the packages, instead of .venv")
    parser.add_argument("environments", nargs="*", default=["core"])
    options = parser.parse_args(arguments)
    for name in options.environments:
        if not lock_file(name).exists():
            known = ", ".join(sorted(file.stem for file in lock_file(name).parent.glob("*.txt")))
            raise SetupError(f"there is no environment {name!r}; choose from {known}")
    with alone():
        if options.into:
            fill(options.into, options.environments)
        else:
            make(options.environments, options.requested)


def lock_file(name: str) -> pathlib.Path:
    """Returns the file that lists an environment's packages."""
    return ROOT / "requirements" / f"{name}.txt"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Waits until no other set-up of this folder is running, and keeps others waiting."""
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this folder to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        # A pip that outlives this process keeps the lock.
        os.set_inheritable(file.fileno(), True)
        yield


def make(environments: Sequence[str], requested: bool) -> None:
    """Creates .venv if it cannot be reused, and installs missing packages into it."""
    remove_leftovers()
    wanted = {name: checksum(lock_file(name)) for name in with_contained([INSTALLER, *environments])}
    project = checksum(ROOT / "pyproject.toml")
    installed = read_installed()
    if not reusable(installed, requested):
        if adoptable(requested):
            say(f"Installing into the .venv that is here (Python {version()})")
        else:
            make_empty()
        installed = {"interpreter": interpreter(PYTHON), "environments": {}}
    missing = [
        name for name in [INSTALLER, *environments] if installed["environments"].get(name) != wanted[name]
    ]
    if not missing and installed.get("project") == project:
        return
    UNFINISHED.touch()
    for name in missing:
        announce(name)
        install("--requirement", str(lock_file(name)), "--require-hashes")
    if (ROOT / "pyproject.toml").exists():
        install("--editable", str(ROOT))
    run([str(PYTHON), "-I", "-m", "pip", "check"], "the packages do not fit each other")
    installed = {**installed, "environments": installed["environments"] | wanted, "project": project}
    INSTALLED.write_text(json.dumps(installed, indent=2) + "\n")
    UNFINISHED.unlink()


def fill(folder: pathlib.Path, environments: Sequence[str]) -> None:
    """Installs packages without their dependencies into a folder."""
    stamp = folder / "installed"
    wanted = json.dumps([interpreter(PYTHON), *(checksum(lock_file(name)) for name in environments)])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for name in environments:
        announce(name, f" into {folder}")
        install("--requirement", str(lock_file(name)), "--require-hashes", into=folder)
    stamp.write_text(wanted)


def with_contained(environments: Sequence[str]) -> list[str]:
    """Returns environments together with those that they include."""
    return list(dict.fromkeys(part for name in environments for part in (name, *CONTAINED.get(name, ()))))


def checksum(path: pathlib.Path) -> str:
    """Returns a file's SHA-256, or an empty string if the file does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def announce(name: str, place: str = "") -> None:
    """Prints which lock file is being installed."""
    packages = len(re.findall("^[^ #]+==", lock_file(name).read_text(), re.MULTILINE))
    say(f"Installing {packages} packages of requirements/{name}.txt{place} (details in {LOG.name})")


def read_installed() -> dict | None:
    """Returns the content of .venv/installed, or None if .venv is unfinished or not from this program."""
    if UNFINISHED.exists():
        return None
    try:
        found = json.loads(INSTALLED.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def reusable(installed: dict | None, requested: bool) -> bool:
    """Returns whether .venv can be kept: it works, and has the requested Python and current lock files."""
    if installed is None or interpreter(PYTHON) != installed["interpreter"]:
        return False
    if requested and installed["interpreter"] != interpreter(pathlib.Path(sys.executable)):
        return False
    return all(checksum(lock_file(name)) == value for name, value in installed["environments"].items())


def interpreter(python: pathlib.Path) -> list[str]:
    """Returns the prefix and the version of an environment's interpreter, or [] if it does not run."""
    code = "import json, sys; print(json.dumps([sys.base_prefix, sys.version]))"
    return json.loads(output([str(python), "-I", "-c", code]) or "[]")


def version() -> str:
    """Returns the version of the Python in .venv, such as 3.11."""
    return output([str(PYTHON), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()


# Prints why an environment that the user has created cannot be used; prints nothing if it can.
_FLAWS = """
import importlib.metadata, pathlib, sys
venv = pathlib.Path(sys.argv[1])
if not (3, 11) <= sys.version_info[:2] < (3, 14): print("its Python is %d.%d" % sys.version_info[:2])
elif pathlib.Path(sys.prefix).resolve() != venv.resolve(): print("it is no environment")
elif "true" in [line.split("=")[1].strip().lower() for line in (venv / "pyvenv.cfg").read_text().splitlines()
                if line.startswith("include-system-site-packages")]: print("it sees the system's packages")
elif not any(dist.name == "pip" for dist in importlib.metadata.distributions()): print("it has no pip")
elif not (venv / "bin" / "activate").exists(): print("bin/activate is missing")
else:
    for dist in importlib.metadata.distributions():
        lost = [file for file in dist.files or () if file.suffix != ".pyc" and not file.locate().exists()]
        if lost: sys.exit(print(f"{lost[0]} of {dist.name} is missing"))
"""


def adoptable(requested: bool) -> bool:
    """Returns whether .venv is a working environment with pip that the user has created."""
    if requested or UNFINISHED.exists() or INSTALLED.exists() or not VENV.exists():
        return False
    result = (
        subprocess.run(
            [str(PYTHON), "-I", "-c", _FLAWS, str(VENV)],
            env=clean_environment(),
            capture_output=True,
            text=True,
        )
        if PYTHON.exists()
        else None
    )
    flaw = "it has no Python" if result is None else result.stdout.strip() or result.stderr.strip()[-200:]
    if flaw:
        say(f"The existing .venv cannot be used ({flaw})")
    return not flaw


def make_empty() -> None:
    """Replaces .venv by a new environment that holds only pip."""
    # Not `python3`, which may be a link that an upgrade changes.
    python = sys.executable
    name = ".".join(map(str, sys.version_info[:2]))
    say(f"Making .venv by {python} (Python {name})")
    remove()
    VENV.mkdir()
    UNFINISHED.touch()
    failure = "the environment could not be created"
    # Debian and Ubuntu ship Python without ensurepip.
    if has("ensurepip", "venv"):
        run([python, "-I", "-m", "venv", str(VENV)], failure)
    elif has("venv") and output([python, "-I", "-m", "pip", "--version"]):
        say(f"{python} has no ensurepip: pip comes from the index")
        run([python, "-I", "-m", "venv", "--without-pip", str(VENV)], failure)
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = pathlib.Path(output([str(PYTHON), "-I", "-c", code]).strip())
        install("--requirement", str(lock_file(INSTALLER)), "--require-hashes", into=packages, python=python)
    elif os.geteuid() == 0 and shutil.which("apt-get"):
        package = f"python{name}-venv"
        say(f"{python} has no ensurepip: installing the system's package {package}")
        run(["apt-get", "update"], "apt-get update failed")
        run(["apt-get", "install", "--yes", package], f"apt-get could not install {package}")
        run([python, "-I", "-m", "venv", str(VENV)], failure)
    else:
        raise SetupError(
            f"{python} cannot create an environment: it has neither ensurepip nor pip"
            f" (on Debian and Ubuntu: apt install python{name}-venv)"
        )


def has(*modules: str) -> bool:
    """Returns whether this interpreter can import modules."""
    command = [sys.executable, "-I", "-c", f"import {', '.join(modules)}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def remove() -> None:
    """Removes .venv atomically: an interrupted removal leaves nothing that looks like an environment."""
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    elif VENV.exists():
        VENV.rename(pathlib.Path(tempfile.mkdtemp(prefix=".venv.removed-", dir=ROOT)) / "venv")
    remove_leftovers()


def remove_leftovers() -> None:
    """Finishes interrupted removals."""
    for folder in ROOT.glob(".venv.removed-*"):
        shutil.rmtree(folder, ignore_errors=True)


def clean_environment() -> dict[str, str]:
    """Returns the environment variables, without those that change what pip installs or Python imports."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_SETTINGS or not name.startswith(("PIP_", "PYTHON"))
    }
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def kept_configuration(python: str) -> dict[str, str]:
    """Returns the settings of pip's configuration files about the index, as environment variables."""
    found = {}
    for line in output([python, "-I", "-m", "pip", "config", "list"]).splitlines():
        section, _, rest = line.partition(".")
        key, _, value = rest.partition("=")
        name = f"PIP_{key.upper().replace('-', '_')}"
        if section in ("global", "install") and name in KEPT_SETTINGS:
            found[name] = " ".join(ast.literal_eval(value).split())
    return found


def install(*arguments: str, into: pathlib.Path | None = None, python: str = str(PYTHON)) -> None:
    """Installs packages by pip, without their dependencies."""
    target = [f"--target={into}"] if into else []
    command = [python, "-I", "-m", "pip", "install", "--no-deps", "--no-build-isolation", *target, *arguments]
    environment = kept_configuration(python) | clean_environment() | {"PIP_CONFIG_FILE": os.devnull}
    run(command, "pip failed", environment)


def run(command: Sequence[str], failure: str, environment: dict[str, str] | None = None) -> None:
    """Runs a command, and writes its output into the log; prints only large downloads.

    Raises:
        SetupError: the command failed.
    """
    lines = []
    with LOG.open("a") as log:
        print("$", *command, file=log, flush=True)
        process = subprocess.Popen(
            command,
            env=environment or clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            close_fds=False,
        )
        for line in process.stdout or ():
            lines.append(line)
            log.write(line)
            log.flush()
            download = re.match(r"\s*Downloading (\S+?)-(\d\S*?)-\S+ \((\d+)(?:\.\d)? MB\)", line)
            if download and int(download[3]) >= LARGE:
                say(f"  {download[1]} {download[2]} ({download[3]} MB)")
    if process.wait():
        raise SetupError(reason(lines) or f"{failure}: {last_words(lines)}. The complete output is in {LOG}")


def reason(lines: Sequence[str]) -> str:
    """Returns why pip failed and what to do, for the usual reasons (disk, network), else an empty string."""
    text = "".join(lines)
    if re.search(r"No space left on device|Errno 28|Disk quota exceeded|Errno 122", text):
        return disk_full()
    unreachable = (
        r"NewConnectionError|ConnectTimeoutError|ReadTimeout|Max retries exceeded|ProxyError|name resolution"
    )
    if re.search(
        rf"{unreachable}|Name or service not known|Connection (?:refused|reset|to \S+ timed out)", text
    ):
        return (
            "the package index does not answer. Check the network, or name another index:"
            " PIP_INDEX_URL=https://... make setup"
        )
    if unknown := re.search(r"satisfies the requirement (\S+) \(from versions: none\)", text):
        return (
            f"the package index does not answer, or has no {unknown[1]} for this system: Linux needs a C"
            " library of 2.28 or newer, macOS an Apple processor. PIP_INDEX_URL names another index"
        )
    return ""


def disk_full() -> str:
    """Returns the message about a full disk."""
    folders = {"here": ROOT, "for temporary files (TMPDIR)": pathlib.Path(tempfile.gettempdir())}
    free = ", ".join(f"{shutil.disk_usage(path).free / 1e9:.1f} GB {name}" for name, path in folders.items())
    return f"the disk is full. Free: {free}. An environment takes 3 to 4 GB: make room, then try again"


def last_words(lines: Sequence[str]) -> str:
    """Returns the last line of a program's output about an error, else the last line."""
    errors = [line.strip() for line in lines if line.startswith("ERROR") or "rror:" in line]
    return (errors or [line.strip() for line in lines if line.strip()] or ["no output"])[-1].rstrip(".")


def output(command: Sequence[str]) -> str:
    """Returns the standard output of a command, or an empty string if it fails."""
    try:
        result = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    except OSError:
        return ""
    return result.stdout if result.returncode == 0 else ""


def say(message: str) -> None:
    """Prints a message for the user."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {disk_full() if error.errno == 28 else error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command to continue")
