r"""Letters in pictures: names in any script, never as boxes.

Pillow's own font has little more than ASCII. What it lacks is written in a font of the system, where one
has all of a text; else without accents, or as Python escapes it: `\u65e5`.
"""

from __future__ import annotations

import functools
import unicodedata

from absl import logging
from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
# Of Debian, Windows and macOS; the first one that has all of a text writes it.
_OF_THE_SYSTEM = (
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
_said: set[str] = set()


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
        pen: that draws.
        place: of its anchor, x, y in pixels.
        text: of one line.
        size: in pixels.
        colour: of the letters.
        anchor: as Pillow names it.
    """
    shown, font = _lettered(text, size)
    pen.text(place, shown, fill=colour, font=font, anchor=anchor)


def width(text: str, size: int) -> float:
    """Returns how wide a line of text is written, in pixels."""
    shown, font = _lettered(text, size)
    return font.getlength(shown)


@functools.lru_cache(maxsize=4096)
def _lettered(text: str, size: int) -> tuple[str, Font]:
    """Returns a text as it is written, and the font that it is written in."""
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
    """Returns Pillow's own font, and those of the system that there are."""
    fonts: list[Font] = [ImageFont.load_default(size)]
    for name in _OF_THE_SYSTEM:
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
    """Says once of each letter that no picture has it."""
    if missing <= _said:
        return
    _said.update(missing)
    logging.warning(
        "No font of this machine has all letters of %r: pictures show it in ASCII. Tables, JSON, HTML and "
        "the tabs have it as it is, and so have pictures where fonts of its script are installed (Debian: "
        "fonts-noto-cjk)",
        text,
    )
