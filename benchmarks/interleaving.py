"""Measures several functions in turn, so that other load on the machine affects them equally."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Medians over the rounds, in seconds.

    Attributes:
        clock: by the clock.
        cpu: CPU time of all threads of the process.
    """

    clock: float
    cpu: float


def costs(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Cost]:
    """Calls every function once in each round, after a round that is not measured.

    Args:
        works: functions by name; each must finish its work before it returns.
        rounds: number of measured rounds.
    """
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for round_ in range(rounds + 1):
        for name, work in works.items():
            clock, cpu = time.perf_counter(), time.process_time()
            work()
            if round_:
                seconds[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    return {
        name: Cost(clock=statistics.median(c for c, _ in taken), cpu=statistics.median(c for _, c in taken))
        for name, taken in seconds.items()
    }


def ratio(cost: Cost, reference: Cost) -> str:
    """Returns one cost in units of another, by the clock and of the CPU."""
    return f"{cost.clock / reference.clock:.3f} by the clock, {cost.cpu / reference.cpu:.3f} of the CPU"
