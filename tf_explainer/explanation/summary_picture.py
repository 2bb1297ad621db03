"""Draws what a network looks at: the shares of each class's score as bars, with their intervals."""

from __future__ import annotations

from PIL import Image, ImageDraw

from tf_explainer.evaluation import lettering
from tf_explainer.evaluation.parts import is_off_object
from tf_explainer.explanation.run_summary import NOT_EXPLAINED, NOT_PARTS, ClassSummary, RunSummary, label

_WIDTH, _MARGIN, _LABELS, _FIGURES = 1040, 24, 380, 150
_ROW, _HEADING, _TEXT = 26, 18, 15
_MOST_CLASSES = 12
_PAPER, _INK, _GREY, _LINE = (255, 255, 255), (24, 26, 31), (98, 104, 116), (214, 218, 226)
# From Okabe and Ito's palette for colour-blind readers.
_PART, _REST, _UNEXPLAINED = (0, 114, 178), (230, 159, 0), (150, 150, 150)


def draw(summary: RunSummary) -> Image.Image:
    """Draws the summary of a run: the classes with the most images, at most 12."""
    classes = summary.classes[:_MOST_CLASSES]
    heights = [_ROW * (len(each.rows()) + 3) for each in classes]
    page = Image.new("RGB", (_WIDTH, 2 * _MARGIN + 2 * _ROW + sum(heights)), _PAPER)
    pen = ImageDraw.Draw(page)
    lettering.write(pen, (_MARGIN, _MARGIN), "What does this network look at?", _HEADING, _INK)
    legend = (
        f"share of the mean score by part, {summary.images} images; {summary.method}; lines: 95 % intervals"
    )
    lettering.write(pen, (_MARGIN, _MARGIN + _ROW), legend, _TEXT, _GREY)
    top = _MARGIN + 2 * _ROW
    for each, height in zip(classes, heights, strict=True):
        _draw_class(pen, each, top)
        top += height
    return page


def _draw_class(pen: ImageDraw.ImageDraw, summary: ClassSummary, top: int) -> None:
    heading = f"{summary.name}: {summary.images} images, mean score {summary.score:+.2f} nats"
    lettering.write(pen, (_MARGIN, top + 10), heading, _HEADING, _INK)
    rows = summary.rows()
    # A negative score has no shares: its bars are nats.
    bars = [(row.nats if row.share is None else row.share, row.interval) for row in rows]
    ends = [0.0, *(end for value, interval in bars for end in (value, *(interval or ())))]
    low, high = min(ends), max(ends)
    scale = (_WIDTH - 2 * _MARGIN - _LABELS - _FIGURES) / ((high - low) or 1.0)
    zero = _MARGIN + _LABELS - low * scale
    for number, (row, (value, interval)) in enumerate(zip(rows, bars, strict=True)):
        y = top + 10 + _ROW * (number + 1)
        lettering.write(pen, (_MARGIN, y + 3), label(row.name), _TEXT, _INK)
        left, right = sorted((zero, zero + value * scale))
        pen.rectangle((left, y + 5, max(right, left + 1), y + 19), fill=_colour(row.name))
        if interval:
            pen.line([(zero + bound * scale, y + 12) for bound in interval], fill=_INK, width=2)
        figures = (
            f"{row.nats:+.2f} nats" if row.share is None else f"{round(100 * row.share)} % ({row.nats:+.2f})"
        )
        lettering.write(pen, (_WIDTH - _MARGIN, y + 3), figures, _TEXT, _GREY, anchor="ra")
    bottom = top + 10 + _ROW * (len(rows) + 1)
    pen.line((zero, top + 10 + _ROW, zero, bottom), fill=_LINE)
    lettering.write(pen, (_MARGIN, bottom + 3), summary.verdict, _TEXT, _INK)


def _colour(name: str) -> tuple[int, int, int]:
    if name in NOT_EXPLAINED:
        return _UNEXPLAINED
    return _REST if name in NOT_PARTS or is_off_object(name) else _PART
