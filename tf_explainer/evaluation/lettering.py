r"""Writes text in pictures, in any script, without boxes for missing letters.

Pillow's own font has little more than ASCII. Other text is written in a system font that has all of its
letters. If there is none, accents are dropped and other letters escaped as in Python: `\u65e5`.
"""

from __future__ import annotations

import functools
import unicodedata

from absl import logging
from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# Fonts of Debian, Windows and macOS; the first one that has all letters of a text is used.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "msgothic.ttc",
    "malgun.ttf",
)
_IN_NO_FONT = "\U0010ffff"
_warned: set[str] = set()


def write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str | None = None,
) -> None:
    """Writes a line of text.

    Args:
        pen: drawing context of the picture.
        place: position of the anchor, x and y in pixels.
        text: a single line.
        size: size of the font, in pixels.
        colour: colour of the letters.
        anchor: Pillow's name of the anchor.
    """
    written, font = _with_font(text, size)
    pen.text(place, written, fill=colour, font=font, anchor=anchor)


def width(text: str, size: int) -> float:
    """Returns the width of a line of text, in pixels."""
    written, font = _with_font(text, size)
    return font.getlength(written)


@functools.lru_cache(maxsize=4096)
def _with_font(text: str, size: int) -> tuple[str, Font]:
    """Returns a text as it can be written, and the font to write it in."""
    fonts = _fonts(size)
    for font in fonts:
        if all(_has(font, letter) for letter in text):
            return text, font
    own = fonts[0]
    missing = {letter for letter in text if not _has(own, letter)}
    _warn(text, missing)
    return "".join(_in_ascii(letter) if letter in missing else letter for letter in text), own


@functools.cache
def _fonts(size: int) -> list[Font]:
    """Returns Pillow's own font and the installed system fonts."""
    fonts: list[Font] = [ImageFont.load_default(size)]
    for name in _SYSTEM_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return fonts


@functools.cache
def _has(font: Font, letter: str) -> bool:
    drawn, box = font.getmask(letter), font.getmask(_IN_NO_FONT)
    return (drawn.size, bytes(drawn)) != (box.size, bytes(box))


def _in_ascii(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or letter.encode("unicode_escape").decode()


def _warn(text: str, missing: set[str]) -> None:
    """Warns once for each letter that no font has."""
    if missing <= _warned:
        return
    _warned.update(missing)
    logging.warning(
        "No font on this machine has all letters of %r, so pictures show it in ASCII. Install fonts for its "
        "script (Debian: fonts-noto-cjk) to show it unchanged, as tables, JSON, HTML and the tabs do",
        text,
    )
