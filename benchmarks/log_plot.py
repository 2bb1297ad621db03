"""Draws curves with logarithmic axes as SVG."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 400, 300, 52, 20, 46, 30
_COLUMNS = 2
_COLOURS = ("#1f5fa8", "#c8501e", "#2a8a4a")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: above it.
        x: positive, ascending.
        series: positive values at each x, by name.
    """

    title: str
    x: Sequence[float]
    series: Mapping[str, Sequence[float]]


def drawing(panels: Sequence[Panel]) -> str:
    """Returns the panels, two in a row, as an SVG document."""
    rows = -(-len(panels) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        x, y = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
        lines += [f'<g transform="translate({x} {y})">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    values = [value for series in panel.series.values() for value in series]
    across = _Axis(min(panel.x), max(panel.x), _LEFT + 12, _WIDTH - _RIGHT - 12)
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    up = _Axis(10.0**lowest, 10.0**highest, _HEIGHT - _BOTTOM, _TOP)
    yield f'<text x="{_LEFT}" y="16" font-weight="bold">{panel.title}</text>'
    for power in range(lowest, highest + 1):
        y = up.at(10.0**power)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
    for value in panel.x:
        x = across.at(value)
        yield f'<path d="M{x:.1f} {_HEIGHT - _BOTTOM}v4" stroke="#555"/>'
        yield f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{value:,}</text>'
    names = (
        f'<tspan fill="{colour}">{name}</tspan>' for name, colour in zip(panel.series, _COLOURS, strict=False)
    )
    yield f'<text x="{_LEFT}" y="32">{"  ·  ".join(names)}</text>'
    for series, colour in zip(panel.series.values(), _COLOURS, strict=False):
        places = [(across.at(x), up.at(y)) for x, y in zip(panel.x, series, strict=True)]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)


@dataclasses.dataclass(frozen=True)
class _Axis:
    """Maps a range of values to a range of positions, logarithmically."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Returns the position of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)
