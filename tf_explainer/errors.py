"""The exception that a binary shows as a single message without a traceback, and help to write messages."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message names the offending value, the flag or file, and what to do."""


def nearest_names(name: str, known: Iterable[str], count: int = 5) -> str:
    """Lists the known names closest to `name`, for "did you mean" messages.

    Args:
        name: what the user wrote.
        known: the valid names.
        count: how many names to list at most.

    Returns:
        Comma-separated names, best first; if none is close, the first `4 * count` known ones.
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=count, cutoff=0.4)
    return ", ".join(close or known[: 4 * count])


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or its type if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def full_disk(error: BaseException) -> str | None:
    """Returns a message that a disk is full if that caused an error, directly or indirectly, else None."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        number = getattr(cause, "errno", None)
        # HDF5 and TensorFlow say it only in their messages.
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(cause):
            name = getattr(cause, "filename", None)
            where = f" where {name} was to be written" if name else ""
            return f"the disk is full{where}: free some space and run the same command again"
        cause = cause.__cause__ or cause.__context__
    return None
