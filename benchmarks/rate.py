"""How fast images are done, and two such rates compared."""

from __future__ import annotations

import dataclasses
import statistics

from benchmarks.child_process import Usage


@dataclasses.dataclass(frozen=True)
class Rate:
    """Images a second, by the clock and by the seconds of CPU."""

    by_clock: float
    by_cpu: float

    @classmethod
    def of(cls, measured: dict[str, float]) -> Rate:
        """Reads what a child process measured."""
        return cls(measured["images"] / measured["seconds"], measured["images"] / measured["cpu_seconds"])

    @classmethod
    def of_difference(cls, short: Usage, long: Usage, images: int) -> Rate:
        """Returns the rate at which a longer run has done its images more than a shorter one."""
        return cls(images / (long.seconds - short.seconds), images / (long.cpu_seconds - short.cpu_seconds))


def compared(first: list[Rate], second: list[Rate]) -> str:
    """Returns the median ratio of two lists of rates, by the clock and by CPU time."""
    pairs = list(zip(first, second, strict=True))
    by_clock = statistics.median(a.by_clock / b.by_clock for a, b in pairs)
    by_cpu = statistics.median(a.by_cpu / b.by_cpu for a, b in pairs)
    rates = [statistics.median(rate.by_clock for rate in rates) for rates in (first, second)]
    return f"{by_clock:.2f} ({rates[0]:.1f} / {rates[1]:.1f} images/s); by CPU time {by_cpu:.2f}"
