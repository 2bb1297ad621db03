"""Builds wheel, sdist and bill of materials of the last commit, reproducibly: bit by bit the same everywhere.

tools/release.py OUTPUT   (make release)

Times are those of the commit, or SOURCE_DATE_EPOCH; owners and permissions are normalised. The wheel is built
from the sdist, so everyone who has the sdist can build the wheel.
"""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
_ROW = re.compile(
    r"^\| .* \| (?P<name>[a-z-]+) \| (?P<version>[^|]+) \| (?P<licence>[A-Z]\S*) \|", re.MULTILINE
)


def main(output: pathlib.Path) -> None:
    """Builds the last commit."""
    if changed := _git("status", "--porcelain"):
        sys.exit(f"Error: a release is built from a commit; commit these first:\n{changed}")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(f"git archive HEAD | tar xf - -C {folder}", shell=True, check=True, cwd=ROOT)
        build(pathlib.Path(folder), output, epoch)
    bill_of_materials(output / "sbom.cdx.json", epoch)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def build(sources: pathlib.Path, output: pathlib.Path, epoch: int) -> None:
    """Builds wheel and sdist from a folder of sources.

    Args:
        sources: the project's files; the build adds files to the folder.
        output: a folder for the wheel and the sdist.
        epoch: the time of all files, in seconds since 1970.
    """
    with tempfile.TemporaryDirectory() as folder:
        _build("sdist", sources, pathlib.Path(folder), epoch)
        (original,) = pathlib.Path(folder).glob("*.tar.gz")
        sdist = output / original.name
        sdist.write_bytes(gzip.compress(_normalised(original, epoch), mtime=epoch))
        shutil.unpack_archive(sdist, folder)
        _build("wheel", pathlib.Path(folder, sdist.name.removesuffix(".tar.gz")), output, epoch)


def _build(kind: str, sources: pathlib.Path, output: pathlib.Path, epoch: int) -> None:
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", f"--outdir={output}"]
    result = subprocess.run(
        [*command, str(sources)],
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        umask=0o022,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        sys.exit(f"Error: the {kind} could not be built:\n{result.stdout}")


def _normalised(sdist: pathlib.Path, epoch: int) -> bytes:
    """Returns the uncompressed archive of an sdist, without data that depends on the machine or the time."""
    with tempfile.TemporaryFile() as file:
        with (
            tarfile.open(sdist) as old,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as new,
        ):
            for member in sorted(old.getmembers(), key=lambda member: member.name):
                member.mtime, member.pax_headers = epoch, {}
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        file.seek(0)
        return file.read()


def bill_of_materials(path: pathlib.Path, epoch: int) -> None:
    """Writes the packages that the project needs and the third-party files in it, in CycloneDX format."""
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "requirements/core.txt"]
    subprocess.run(
        [*command, "--pyproject=pyproject.toml", "--output-reproducible", f"--output-file={path.resolve()}"],
        cwd=ROOT,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        check=True,
    )
    bill = json.loads(path.read_text())
    bill["components"] += vendored((ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8"))
    path.write_text(json.dumps(bill, indent=2) + "\n")


def vendored(text: str) -> list[dict[str, object]]:
    """Returns the components that the table of THIRD_PARTY.md lists."""
    components = []
    for name, version, licence in _ROW.findall(text):
        number = version if re.fullmatch(r"[\d.]+", version) else ""
        at = f"@{number}" if number else ""
        components.append(
            {
                "type": "library",
                "bom-ref": f"vendored-{name}",
                "name": name,
                "version": version,
                "purl": f"pkg:npm/{name}{at}",
                "licenses": [{"license": {"id": licence}}],
            }
        )
    return components


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
