"""Says in words whether object parts explain a score: one rule for pictures, pages, tabs and JSON."""

from __future__ import annotations

from collections.abc import Mapping

PARTS = "object parts"
MISSING_PARTS = "missing object parts"
"""What object parts are to a class that stands for 'no object'."""
OFF_OBJECT = "groups off the object"
OTHER_FILTERS = "filters in no part"
ORDINARY = "ordinary track (textures)"
BASELINE = "score of the baseline"
GAP = "gap of the attribution"

# As a share: less than this may be left over, of either sign.
_LEFT_OVER = 0.5


def explains(score: float, contribution: float, baseline: float) -> bool:
    """Returns whether a contribution explains a score.

    It does if it is half to one and a half of what lies between the baseline's score and this one, and if the
    baseline does not have more than half of the score by itself.
    """
    above = score - baseline
    given = baseline * score > 0 and abs(baseline) > _LEFT_OVER * abs(score)
    return not given and abs(above - contribution) <= _LEFT_OVER * abs(above)


def verdict(score: float, terms: Mapping[str, float]) -> str:
    """Returns a sentence.

    Args:
        score: in nats.
        terms: in nats, by what they are of, `BASELINE` among them; the first should explain the score.
    """
    (name, value), *others = terms.items()
    baseline = terms[BASELINE]
    name = name[0].upper() + name[1:]
    between = f"the {score - baseline:+.2f} nats from the baseline's score, {baseline:+.2f}, to {score:+.2f}"
    if explains(score, value, baseline):
        return f"{name} explain this score: they give {value:+.2f} of {between}."
    most, rest = max(others, key=lambda term: abs(term[1]))
    return f"{name} do not explain this score: they give {value:+.2f} of {between}; {most}: {rest:+.2f}."
