"""The one exception that a binary shows to a person as a single readable message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message names the offending value, the flag or file, and what to do."""


def nearest_names(name: str, known: Iterable[str], count: int = 5) -> str:
    """Lists the known names closest to `name`, for "did you mean" messages.

    Args:
        name: what the person wrote.
        known: what exists.
        count: how many names at most.

    Returns:
        Comma-separated names, best first; all of them where none is close.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.4)
    return ", ".join(close or known[: 4 * count])
