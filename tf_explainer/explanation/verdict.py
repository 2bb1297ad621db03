"""The rule whether object parts explain a score, shared by pictures, pages, tabs and JSON."""

from __future__ import annotations

from collections.abc import Mapping

PARTS = "object parts"
MISSING_PARTS = "missing object parts"
"""Name of the term of object parts in the score of a class that stands for 'no object'."""
OFF_OBJECT = "groups off the object"
OTHER_FILTERS = "filters in no part"
ORDINARY = "ordinary track (textures)"
BASELINE = "score of the baseline"
GAP = "gap of the attribution"

# The largest share of a score, of either sign, that may remain unexplained.
_LEFT_OVER = 0.5


def explains(score: float, contribution: float, baseline: float) -> bool:
    """Returns whether a contribution explains a score.

    It does if it is between 0.5 and 1.5 times the difference between the score and the baseline's score, and
    the baseline's score is not itself more than half of the score.
    """
    above = score - baseline
    given = baseline * score > 0 and abs(baseline) > _LEFT_OVER * abs(score)
    return not given and abs(above - contribution) <= _LEFT_OVER * abs(above)


def verdict(score: float, terms: Mapping[str, float]) -> str:
    """Returns a sentence on whether the first term explains a score.

    Args:
        score: in nats.
        terms: of the score by name, in nats; `BASELINE` must be among them.
    """
    (name, value), *others = terms.items()
    baseline = terms[BASELINE]
    name = name[0].upper() + name[1:]
    between = f"the {score - baseline:+.2f} nats from the baseline's score, {baseline:+.2f}, to {score:+.2f}"
    if explains(score, value, baseline):
        return f"{name} explain this score: they give {value:+.2f} of {between}."
    most, rest = max(others, key=lambda term: abs(term[1]))
    return f"{name} do not explain this score: they give {value:+.2f} of {between}; {most}: {rest:+.2f}."
