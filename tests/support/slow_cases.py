"""Leaves one case of a kind in the fast suite, and the others to the slow one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(cases: Iterable[Any], fast: Iterable[Any]) -> list[Any]:
    """Marks the cases of a parametrisation as slow but for those that are named.

    Raises:
        ValueError: a name is none of the cases.
    """
    cases, fast = list(cases), list(fast)
    if unknown := [case for case in fast if case not in cases]:
        raise ValueError(f"{unknown} are none of the cases {cases}")
    return [case if case in fast else pytest.param(case, marks=pytest.mark.slow) for case in cases]
