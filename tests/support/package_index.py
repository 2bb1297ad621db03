"""A package index on disk: wheels and source packages that a test makes up."""

from __future__ import annotations

import base64
import hashlib
import io
import pathlib
import tarfile
import zipfile
from collections.abc import Sequence


def add_wheel(
    folder: pathlib.Path, name: str, version: str, requires: Sequence[str] = (), extras: Sequence[str] = ()
) -> None:
    """Writes a wheel that holds one module, named as the package."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": _metadata(name, version, requires, extras),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_record_hash(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def add_source(folder: pathlib.Path, name: str, version: str) -> None:
    """Writes a source package that says how it is built in setup.py alone, as old ones do."""
    setup = (
        f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{name!r}])\n"
    )
    files = {
        "PKG-INFO": _metadata(name, version),
        "setup.py": setup,
        f"{name}.py": f"version = {version!r}\n",
    }
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def pin(folder: pathlib.Path, name: str, version: str) -> str:
    """The line of a lock file for a package of an index."""
    (file,) = folder.glob(f"{name}-{version}*")
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def _metadata(name: str, version: str, requires: Sequence[str] = (), extras: Sequence[str] = ()) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n"


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
