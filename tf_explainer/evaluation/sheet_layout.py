"""Lays out a contact sheet: sections of panels, each with a line of text above its pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PIL import Image, ImageDraw

from tf_explainer.evaluation import lettering

PICTURE = 112
"""Side of a picture in pixels."""

_GAP, _MARGIN, _COLUMNS = 4, 28, 2
_NARROWEST = 560  # width that a line of figures needs
_HEADING, _TITLE, _TEXT = 30, 22, 16
_PAPER, _INK, _GREY = (255, 255, 255), (24, 26, 31), (98, 104, 116)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """A name with a coloured mark, and its pictures."""

    name: str
    colour: tuple[int, int, int]
    pictures: Sequence[Image.Image]
    figures: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A title above panels."""

    title: str
    panels: Sequence[Panel]
    figures: str = ""


def sheet(heading: str, explanation: str, sections: Sequence[Section], images: int) -> Image.Image:
    """Draws sections below each other, with their panels in columns.

    Args:
        heading: heading of the sheet.
        explanation: text that says how to read the sheet.
        sections: the sections.
        images: largest number of pictures in a panel.
    """
    panel_width = max(_NARROWEST, images * (PICTURE + _GAP) - _GAP)
    panel_height = PICTURE + _TEXT + 3 * _GAP + 14
    width = 2 * _MARGIN + _COLUMNS * panel_width + (_COLUMNS - 1) * _MARGIN
    rows = [max(1, -(-len(section.panels) // _COLUMNS)) for section in sections]
    lines = _wrapped(explanation, width - 2 * _MARGIN)
    head = _MARGIN + _HEADING + 16 + len(lines) * (_TEXT + 4) + 8
    section_head = 20 + _TITLE + 14
    height = head + sum(section_head + count * panel_height for count in rows) + _MARGIN // 2
    page = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(page)
    lettering.write(pen, (_MARGIN, _MARGIN), fitted(heading, width - 2 * _MARGIN, _HEADING), _HEADING, _INK)
    for number, line in enumerate(lines):
        top = _MARGIN + _HEADING + 16 + number * (_TEXT + 4)
        lettering.write(pen, (_MARGIN, top), line, _TEXT, _GREY)
    top = head
    for section, count in zip(sections, rows, strict=True):
        lettering.write(pen, (_MARGIN, top + 20), section.title, _TITLE, _INK)
        left = _MARGIN + int(lettering.width(section.title, _TITLE)) + 20
        lettering.write(pen, (left, top + 20 + _TITLE - _TEXT), section.figures, _TEXT, _GREY)
        top += section_head
        if not section.panels:
            lettering.write(pen, (_MARGIN, top), "nothing responds", _TEXT, _GREY)
        for index, panel in enumerate(section.panels):
            row, column = divmod(index, _COLUMNS)
            left = _MARGIN + column * (panel_width + _MARGIN)
            _draw_panel(page, pen, panel, (left, top + row * panel_height), panel_width)
        top += count * panel_height
    return page


def _draw_panel(
    page: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel, corner: tuple[int, int], width: int
) -> None:
    left, top = corner
    pen.rounded_rectangle((left, top + 3, left + _TEXT - 4, top + _TEXT - 1), 3, fill=panel.colour)
    begin = left + _TEXT + 4
    name = fitted(panel.name, left + width - begin)
    lettering.write(pen, (begin, top), name, _TEXT, _INK)
    after = begin + lettering.width(name + "   ", _TEXT)
    lettering.write(pen, (after, top), fitted(panel.figures, left + width - after), _TEXT, _GREY)
    for index, picture in enumerate(panel.pictures):
        page.paste(picture, (left + index * (PICTURE + _GAP), top + _TEXT + 2 * _GAP))


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and lettering.width(longer, _TEXT) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def fitted(text: str, width: float, size: int = _TEXT) -> str:
    """Returns a line of text, cut with an ellipsis if it is wider than `width` pixels at this font size."""
    if lettering.width(text, size) <= width:
        return text
    cuts = (text[:end] + "…" for end in range(len(text), 0, -1))
    return next((cut for cut in cuts if lettering.width(cut, size) <= width), "")
