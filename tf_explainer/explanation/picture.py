"""Draws an explanation: parts outlined on the image, terms of the score as bars, contribution maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tf_explainer.evaluation import lettering
from tf_explainer.evaluation.region_overlay import Colour, upsampled
from tf_explainer.explanation import verdict
from tf_explainer.explanation.explanation import Explanation, SeenPart
from tf_explainer.images.unit_grid import UnitGrid

_SIDE, _SMALL, _BARS, _MARGIN, _GAP = 448, 214, 520, 24, 20
_HEADING, _TEXT = 20, 15
_PAPER, _INK, _GREY, _LINE = (255, 255, 255), (24, 26, 31), (98, 104, 116), (214, 218, 226)
# Okabe and Ito's palette for colour-blind readers (https://jfly.uni-koeln.de/color/).
_PARTS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_FOR, _AGAINST = (0, 114, 178), (213, 94, 0)
_REGION = 0.6  # of the part's peak
_MARKER, _DARK = 12, 300


def draw(explanation: Explanation, title: str, most_parts: int = len(_PARTS)) -> Image.Image:
    """Draws one explanation.

    Args:
        explanation: of one image.
        title: heading of the picture.
        most_parts: the most parts and lone filters to show separately, at most 7; the others are summed.
    """
    seen = [part for part in explanation.strongest if part.place is not None]
    shown = seen[: min(most_parts, len(_PARTS))]
    rows = _rows(explanation, shown)
    height = max(_SIDE + _GAP + _SMALL + 28, 40 + 30 * len(rows) + 60)
    page = Image.new("RGB", (3 * _MARGIN + _SIDE + _BARS, 2 * _MARGIN + 74 + height), _PAPER)
    pen = ImageDraw.Draw(page)
    lettering.write(pen, (_MARGIN, _MARGIN - 4), title, _HEADING, _INK)
    probabilities = (
        f"{explanation.class_name}: performer {explanation.performer_probability:.3f}, explainer "
        f"{explanation.explainer_probability:.3f} (log-odds {explanation.score:+.2f})"
    )
    lettering.write(pen, (_MARGIN, _MARGIN + 24), probabilities, _TEXT, _GREY)
    lettering.write(pen, (_MARGIN, _MARGIN + 46), explanation.verdict, _TEXT, _INK)
    top = _MARGIN + 78
    page.paste(_outlined(explanation, shown), (_MARGIN, top))
    below = top + _SIDE + _GAP
    tracks = (
        ("interpretable track", explanation.interpretable_map),
        ("ordinary track", explanation.ordinary_map),
    )
    largest = max(float(np.abs(values).max()) for _, values in tracks) or 1.0
    for column, (name, values) in enumerate(tracks):
        left = _MARGIN + column * (_SIDE - _SMALL)
        page.paste(_contribution_map(explanation.crop, values / largest, explanation.grid), (left, below))
        lettering.write(pen, (left, below + _SMALL + 4), f"contributions: {name}", _TEXT, _GREY)
    _draw_bars(pen, rows, 2 * _MARGIN + _SIDE, top)
    return page


def _rows(explanation: Explanation, shown: Sequence[SeenPart]) -> list[tuple[str, float, Colour | None]]:
    """Returns label, value and colour (None: not a single part) of each bar; the last bar is the score."""
    rows: list[tuple[str, float, Colour | None]] = [
        (part.part.name, part.contribution, colour) for part, colour in zip(shown, _PARTS, strict=False)
    ]
    named = {part.part.name for part in shown}
    for kind, several in (("part", explanation.parts), ("filter", explanation.lone_filters)):
        others = [part.contribution for part in several if part.part.name not in named]
        if others:
            rows.append((f"{len(others)} other {kind}" + "s" * (len(others) > 1), sum(others), None))
    terms = explanation.terms
    rows += [(name, terms[name], None) for name in (verdict.ORDINARY, verdict.BASELINE, verdict.GAP)]
    return [*rows, ("score (log-odds)", explanation.score, None)]


def _draw_bars(
    pen: ImageDraw.ImageDraw, rows: Sequence[tuple[str, float, Colour | None]], left: int, top: int
) -> None:
    lettering.write(pen, (left, top), "what the score consists of, in nats", _TEXT, _INK)
    label_width, value_width = 225, 60
    zero_span = _BARS - label_width - value_width
    low = min(0.0, *(value for _, value, _ in rows))
    high = max(0.0, *(value for _, value, _ in rows))
    scale = zero_span / ((high - low) or 1.0)
    zero = left + label_width - low * scale
    for number, (label, value, colour) in enumerate(rows):
        y = top + 34 + 30 * number + (10 if number == len(rows) - 1 else 0)
        if number == len(rows) - 1:
            pen.line((left, y - 6, left + _BARS, y - 6), fill=_LINE, width=2)
        if colour:
            _draw_marker(pen, left + _MARKER, y + 8, number)
        lettering.write(pen, (left + 30, y), _shortened(label, label_width - 40), _TEXT, _INK)
        ends = sorted((zero, zero + value * scale))
        pen.rectangle(
            (ends[0], y + 1, max(ends[1], ends[0] + 1), y + 16), fill=_FOR if value >= 0 else _AGAINST
        )
        lettering.write(pen, (left + _BARS - value_width + 8, y), f"{value:+.2f}", _TEXT, _GREY)
    pen.line((zero, top + 28, zero, top + 34 + 30 * len(rows) + 10), fill=_LINE)


def _outlined(explanation: Explanation, shown: Sequence[SeenPart]) -> Image.Image:
    picture = Image.fromarray(explanation.crop).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(picture)
    for number, part in reversed(list(enumerate(shown))):
        values = upsampled(part.map, explanation.grid, _SIDE)
        inside = values > _REGION * values.max()
        edge = inside & ~(
            np.roll(inside, 2, 0) & np.roll(inside, -2, 0) & np.roll(inside, 2, 1) & np.roll(inside, -2, 1)
        )
        picture.paste(Image.new("RGB", picture.size, _PARTS[number]), mask=Image.fromarray(edge))
    for number, (y, x) in enumerate(_markers(shown)):
        _draw_marker(pen, x, y, number)
    return picture


def _markers(shown: Sequence[SeenPart]) -> list[tuple[float, float]]:
    """Returns the centres of the parts' numbers, y, x in pixels; numbers of one place are side by side."""
    places = [part.place or (0.0, 0.0) for part in shown]
    markers = []
    for number, (y, x) in enumerate(places):
        row, before = places.count((y, x)), places[:number].count((y, x))
        half = _MARKER * row
        centre = min(max(x * _SIDE, half), _SIDE - half)
        markers.append((y * _SIDE, centre + _MARKER * (2 * before - row + 1)))
    return markers


def _draw_marker(pen: ImageDraw.ImageDraw, x: float, y: float, number: int) -> None:
    pen.ellipse(
        (x - _MARKER + 1, y - _MARKER + 1, x + _MARKER - 1, y + _MARKER - 1),
        fill=_PARTS[number],
        outline=_INK,
    )
    ink = _PAPER if sum(_PARTS[number]) < _DARK else _INK
    lettering.write(pen, (x, y), str(number + 1), _TEXT, ink, anchor="mm")


def _contribution_map(crop: np.ndarray, values: np.ndarray, grid: UnitGrid) -> Image.Image:
    """Blends contributions in [-1, 1] over the image: blue for the class, orange against it."""
    picture = np.asarray(
        Image.fromarray(crop).convert("L").convert("RGB").resize((_SMALL, _SMALL)), np.float64
    )
    values = np.clip(upsampled(values, grid, _SMALL), -1, 1)[..., None]
    colour = np.where(values > 0, np.array(_FOR), np.array(_AGAINST))
    share = 0.85 * np.sqrt(np.abs(values))
    return Image.fromarray((picture * (1 - share) + colour * share).astype(np.uint8))


def _shortened(text: str, width: int) -> str:
    if lettering.width(text, _TEXT) <= width:
        return text
    while text and lettering.width(f"{text}...", _TEXT) > width:
        text = text[:-1]
    return f"{text}..."
