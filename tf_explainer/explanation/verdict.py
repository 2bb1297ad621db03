"""Says in words whether object parts explain a score: one rule for pictures, pages, tabs and JSON."""

from __future__ import annotations

from collections.abc import Mapping

PARTS = "object parts"
OTHER_FILTERS = "filters in no part"
ORDINARY = "ordinary track (textures)"
BASELINE = "score of the baseline"
GAP = "gap of the attribution"

# A part of the score that is larger than this, and of either sign, is too much to be left over.
_LEFT_OVER = 0.5


def explains(score: float, contribution: float) -> bool:
    """Returns whether a contribution is between half of a score and one and a half of it."""
    return abs(score - contribution) <= _LEFT_OVER * abs(score)


def verdict(score: float, terms: Mapping[str, float]) -> str:
    """Returns a sentence.

    Args:
        score: in nats.
        terms: in nats, by what they are of; the first should explain the score.
    """
    (name, value), *others = terms.items()
    name = name[0].upper() + name[1:]
    if explains(score, value):
        return f"{name} give {value:+.2f} of the score of {score:+.2f} nats."
    said = f"{name} do not explain this score: they give {value:+.2f} of {score:+.2f} nats"
    if not others:
        return f"{said}."
    most, rest = max(others, key=lambda term: abs(term[1]))
    return f"{said}, {most} {rest:+.2f}."
