"""Checks whether this machine can run the project, and says what to fix.

python -m tf_explainer doctor [--workdir=runs/mine]
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tf_explainer.errors import UserError
from tf_explainer.performer import keras_settings

_CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
_ENOUGH_DISK, _LITTLE_DISK = 10e9, 2e9  # bytes
_ENOUGH_MEMORY = 4e9
_OLDEST_LIBC = Version("2.28")
_INSTALL = "make setup, or pip install tf-explainer in an environment of its own"
_EXTRAS = {
    "gcp": "for Dataflow and data in gs:// buckets",
    "gpu": "for NVIDIA GPUs",
    "hub": "for classifiers of KerasHub",
    "notebook": "for docs/creatures.ipynb",
    "tfds": "for the command `tfds build`",
}
# Runs in its own process: importing a TensorFlow that does not fit the processor kills the process.
_PROBE = (
    "import json, tensorflow as tf;"
    "print(json.dumps([tf.__version__, [d.name for d in tf.config.list_physical_devices('GPU')]]))"
)


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        what: the subject of the check.
        state: of the subject.
        advice: what to do; empty: nothing.
        is_fault: whether the project cannot run until this is done.
    """

    what: str
    state: str
    advice: str = ""
    is_fault: bool = False

    def __str__(self) -> str:
        mark = "FIX" if self.is_fault else "note" if self.advice else "ok"
        advice = f"\n{'':22}{self.advice}" if self.advice else ""
        return f"{mark:<6}{self.what + ':':<16}{self.state}{advice}"


def examine(workdir: str) -> Iterator[Finding]:
    """Yields the findings of all checks of this machine.

    Args:
        workdir: the work directory that a run would use.
    """
    project = _project()
    yield _system(platform.system(), platform.machine(), platform.libc_ver())
    yield _python(platform.python_version(), project["requires-python"])
    yield from packages(project["dependencies"])
    yield from _tensorflow()
    yield _memory()
    yield from _storage(workdir)
    yield _keras()
    for name, purpose in _EXTRAS.items():
        yield _extra(name, purpose, project["optional-dependencies"].get(name, []))
    yield _browser()


def _project() -> dict[str, Any]:
    """Returns the project's requirements, under the keys of `[project]` in pyproject.toml."""
    file = _CHECKOUT / "pyproject.toml"
    if file.is_file():
        return tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    metadata = importlib.metadata.metadata("tf-explainer")
    of_extra: dict[str, list[str]] = {"": []}
    for line in metadata.get_all("Requires-Dist") or []:
        wanted, _, extra = line.partition("; extra == ")
        of_extra.setdefault(extra.strip("\"'"), []).append(wanted)
    return {
        "requires-python": metadata["Requires-Python"],
        "dependencies": of_extra.pop(""),
        "optional-dependencies": of_extra,
    }


def _system(system: str, machine: str, libc: tuple[str, str]) -> Finding:
    name, version = libc
    state = " ".join(filter(None, (system, machine, name, version)))
    if (system, machine) not in {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")}:
        return Finding(
            "machine", state, "TensorFlow exists for Linux (x86-64, arm64) and Apple processors", True
        )
    if name == "glibc" and Version(version) < _OLDEST_LIBC:
        return Finding("machine", state, f"TensorFlow needs glibc {_OLDEST_LIBC}: use a newer Linux", True)
    return Finding("machine", state)


def _python(version: str, wanted: str) -> Finding:
    if Version(version) in SpecifierSet(wanted):
        return Finding("Python", version)
    return Finding("Python", version, f"needs {wanted}: make setup PYTHON=/path/to/python3.12", True)


def packages(wanted: Sequence[str]) -> Iterator[Finding]:
    """Yields a finding for each package that is missing or has another version, or one if there are none.

    Args:
        wanted: requirements as in pyproject.toml, `keras>=3.15,<3.16`.
    """
    faults = [
        Finding("package", f"{each.name} {found or 'is missing'}", f"needs {each}: {_INSTALL}", True)
        for each, found in _unmet(wanted)
    ]
    yield from faults
    if not faults:
        yield Finding("packages", f"{len(wanted)}, in tested versions")


def _unmet(wanted: Sequence[str]) -> Iterator[tuple[Requirement, str | None]]:
    """Yields requirements that are not met, with the installed version, or None if there is none."""
    for each in map(Requirement, wanted):
        try:
            found = importlib.metadata.version(each.name)
        except importlib.metadata.PackageNotFoundError:
            yield each, None
        else:
            if not each.specifier.contains(found, prereleases=True):
                yield each, found


def _tensorflow() -> Iterator[Finding]:
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env=quiet, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
        yield Finding("TensorFlow", f"cannot be imported: {reason}", f"reinstall it: {_INSTALL}", True)
        return
    version, gpus = json.loads(done.stdout.splitlines()[-1])
    yield Finding("TensorFlow", version)
    if gpus:
        yield Finding("GPU", f"TensorFlow sees {len(gpus)}")
    elif os.path.exists("/proc/driver/nvidia/version") or shutil.which("nvidia-smi"):
        advice = "make setup WITH=gpu, and unset CUDA_VISIBLE_DEVICES"
        yield Finding("GPU", "there is one, but TensorFlow does not see it", advice)
    else:
        yield Finding("GPU", "none (not required)")


def _memory() -> Finding:
    if not hasattr(os, "sysconf"):
        return Finding("size", f"{os.cpu_count()} processors")
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    state = f"{os.cpu_count()} processors, {size / 1e9:.0f} GB of memory"
    return Finding("size", state, "" if size >= _ENOUGH_MEMORY else "a VGG-16 needs about 4 GB")


def _storage(workdir: str) -> Iterator[Finding]:
    place = pathlib.Path(workdir).expanduser().absolute()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            yield Finding("workdir", f"{workdir} is writable")
    except OSError as error:
        yield Finding("workdir", f"{there}: {error.strerror}", "choose another: --workdir=DIR", True)
    free = shutil.disk_usage(there).free
    state = f"{free / 1e9:.1f} GB free where {workdir} is"
    advice = "" if free >= _ENOUGH_DISK else "estimate the size of features: extract_features --dry_run"
    yield Finding("disk", state, advice, free < _LITTLE_DISK)


def _keras() -> Finding:
    try:
        keras_settings.check()
    except UserError as error:
        return Finding("Keras", str(error), "edit that file, or unset that variable", True)
    return Finding("Keras", "has its default settings")


def _extra(name: str, purpose: str, wanted: Sequence[str]) -> Finding:
    if any(_unmet(_with_extras(wanted))):
        return Finding(f"extra {name}", f"not installed ({purpose})")
    return Finding(f"extra {name}", "installed")


def _with_extras(wanted: Sequence[str]) -> list[str]:
    """Returns requirements, followed by those of their extras, such as `apache-beam[gcp]`."""
    requirements = list(wanted)
    for each in map(Requirement, wanted):
        for extra in each.extras:
            lines = importlib.metadata.requires(each.name) or []
            optional = [Requirement(line) for line in lines if "extra" in line]
            requirements += [
                f"{other.name}{other.specifier}"
                for other in optional
                if other.marker and other.marker.evaluate({"extra": extra})
            ]
    return requirements


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return Finding("browser", f"{found or 'none found'} (only the tests of TensorBoard's tabs use it)")


def main(tell: Callable[[str], object], workdir: str) -> bool:
    """Reports every finding to `tell`; returns whether there is nothing to fix."""
    faults = 0
    for finding in examine(workdir):
        tell(str(finding))
        faults += finding.is_fault
    tell(f"\n{faults} to fix." if faults else "\nEverything needed is there.")
    return not faults


def run() -> None:
    """The console script tf-explainer-doctor."""
    parser = argparse.ArgumentParser(
        prog="tf-explainer doctor", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--workdir", default="runs", help="directory of a run; default: %(default)s")
    if not main(print, parser.parse_args().workdir):
        sys.exit(1)


if __name__ == "__main__":
    run()
