"""A digest of this project's code, which changes whenever the code does."""

from __future__ import annotations

import functools
import hashlib
import pathlib


@functools.cache
def source_digest() -> str:
    """Returns the SHA-256 of all modules of `tf_explainer`, in hexadecimal."""
    root = pathlib.Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
