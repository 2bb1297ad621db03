"""The one exception that a binary shows to a person as a single readable message."""

from __future__ import annotations

import difflib
import errno
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


def full_disk(error: BaseException) -> str | None:
    """Says in one line that a disk is full, if that is what an error, or one that led to it, comes from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        number = getattr(cause, "errno", None)
        # HDF5 and TensorFlow have it in the words of their messages alone.
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(cause):
            name = getattr(cause, "filename", None)
            where = f" where {name} was to be written" if name else ""
            return f"the disk is full{where}: free some space and run the same command again"
        cause = cause.__cause__ or cause.__context__
    return None
