"""Learning-rate schedules: what the optimizer's steps are multiplied by as training goes on."""

from __future__ import annotations

import math


def schedule_factor(schedule: str, progress: float, step: int = 0, warmup: int = 0) -> float:
    """Returns the factor of the next optimizer step.

    Args:
        schedule: `constant`, `cosine` (`(1 + cos(pi t)) / 2`) or `linear` (`1 - t`).
        progress: t, the share of the training that is done, in [0, 1].
        step: optimizer steps done.
        warmup: steps over which the factor rises from 0 to that of the schedule.

    Returns:
        A number in [0, 1].
    """
    falling = {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "linear": 1 - progress,
    }[schedule]
    return falling * min(1.0, (step + 1) / (warmup + 1))
