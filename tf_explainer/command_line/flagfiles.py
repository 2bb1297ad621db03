"""Checks and expansions that absl does not make: the encoding of flagfiles, and `~` in values."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Sequence
from typing import Any

from tf_explainer.errors import UserError

_FLAG = "flagfile"
_AS_UTF8 = "save it as UTF-8 (in PowerShell, `Set-Content -Encoding utf8NoBOM`; in Notepad, Save As, UTF-8)"


def check_flagfiles(arguments: Sequence[str]) -> None:
    """Checks that flagfiles, and the flagfiles that they name, are UTF-8 text.

    Raises:
        UserError: a file has another encoding, which the message names.
    """
    pending, seen = list(_named(arguments)), set()
    while pending:
        path = os.path.expanduser(pending.pop())
        if path in seen or not os.path.isfile(path):
            continue  # absl reports missing files.
        seen.add(path)
        pending += _named(line.strip() for line in _text(path).splitlines())


def _named(arguments: Iterable[str]) -> list[str]:
    arguments = [argument.lstrip("-") if argument.startswith("-") else "" for argument in arguments]
    return [each.removeprefix(f"{_FLAG}=").strip() for each in arguments if each.startswith(f"{_FLAG}=")]


def _text(path: str) -> str:
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:64]:
        raise UserError(f"--{_FLAG}={path} is written in UTF-16: {_AS_UTF8}")
    if content.startswith(codecs.BOM_UTF8):
        raise UserError(f"--{_FLAG}={path} begins with a byte order mark: {_AS_UTF8}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"--{_FLAG}={path} is not UTF-8 text (line {line}): {_AS_UTF8}") from error


def with_home(value: Any) -> Any:
    """Replaces a leading `~`, which shells leave in `--flag=~/x`, by the home directory."""
    if isinstance(value, list):
        return [with_home(item) for item in value]
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~") else value
