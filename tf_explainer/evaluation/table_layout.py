"""Formats the figures and rows of a table for a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Form = Callable[[Any], str]


def entry(values: Any, path: Sequence[str]) -> Any:
    """Returns the value at a path of keys in nested dictionaries; None if there is none."""
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def names_at(runs: Iterable[Mapping[str, Any]], *path: str) -> list[str]:
    """Returns the keys of the dictionaries at a path in the measures of several runs, each once."""
    return list(dict.fromkeys(name for metrics in runs for name in entry(metrics, path) or ()))


def with_bounds(form: Form, value: Any, bounds: Any) -> str:
    """Formats a figure, with its interval unless there is none or it has no width."""
    if not bounds or bounds[0] == bounds[1]:
        return form(value)
    return f"{form(value)} [{form(bounds[0])}, {form(bounds[1])}]"


def places(count: int) -> Form:
    """Returns a function that formats a number with `count` decimal places."""
    return lambda value: "-" if value is None else f"{value:.{count}f}"


def percent(share: float | None) -> str:
    """Formats a share as a percentage."""
    return "-" if share is None else f"{100 * share:.1f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Aligns columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
