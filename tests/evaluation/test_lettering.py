import logging

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tf_explainer.evaluation import lettering

INK, PAPER = (0, 0, 0), (255, 255, 255)


def written(text, size=16):
    page = Image.new("RGB", (400, 40), PAPER)
    lettering.write(ImageDraw.Draw(page), (4, 4), text, size, INK)
    return np.asarray(page)


@pytest.fixture
def bare(monkeypatch):
    """A machine without fonts."""
    monkeypatch.setattr(lettering, "_SYSTEM_FONTS", ())
    monkeypatch.setattr(lettering, "_warned", set())
    for kept in (lettering._with_font, lettering._fonts):
        kept.cache_clear()
    yield
    for kept in (lettering._with_font, lettering._fonts):
        kept.cache_clear()


def test_ascii_is_pillow_s_own_font():
    page = Image.new("RGB", (400, 40), PAPER)
    ImageDraw.Draw(page).text((4, 4), "part 3, 58 %", fill=INK, font=ImageFont.load_default(16))
    np.testing.assert_array_equal(written("part 3, 58 %"), np.asarray(page))
    assert lettering.width("part 3", 16) == ImageFont.load_default(16).getlength("part 3")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("F\u00fcchse", "Fuchse"),
        ("\u65e5\u672c 2", r"\u65e5\u672c 2"),
        ("fox \N{FOX FACE}", r"fox \U0001f98a"),
    ],
)
def test_without_a_font_that_has_them_letters_are_escaped_and_that_is_said_once(caplog, name, shown):
    with caplog.at_level(logging.WARNING, "absl"):
        np.testing.assert_array_equal(written(name), written(shown))
        assert lettering.width(name, 16) == lettering.width(shown, 16)
        lettering.width(name[:-1], 20)
    (said,) = caplog.records
    assert repr(name) in said.getMessage()
    assert "fonts-noto-cjk" in said.getMessage()


def test_a_font_of_the_system_that_has_all_of_a_name_writes_it(caplog):
    try:
        font = ImageFont.truetype("DejaVuSans.ttf", 16)
    except OSError:
        pytest.skip("needs Debian's fonts-dejavu")
    page = Image.new("RGB", (400, 40), PAPER)
    ImageDraw.Draw(page).text((4, 4), "F\u00fcchse", fill=INK, font=font)
    np.testing.assert_array_equal(written("F\u00fcchse"), np.asarray(page))
    assert not caplog.records
