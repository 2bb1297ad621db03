import numpy as np
from PIL import Image

from tf_explainer.evaluation.sheet_layout import PICTURE, Panel, Section, fitted, sheet

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 200, 0)


def _section(count: int, colour, pictures: int = 3) -> Section:
    picture = Image.new("RGB", (PICTURE, PICTURE), colour)
    panels = [
        Panel(name=f"part {n}", figures="R 0.1", colour=GREEN, pictures=[picture] * pictures)
        for n in range(count)
    ]
    return Section(title="Layer", figures="", panels=panels)


def _pixels(page, colour) -> int:
    return int((np.asarray(page) == colour).all(axis=-1).sum())


def test_every_picture_is_on_the_sheet():
    page = sheet("Heading", "How to read it", [_section(5, RED), _section(2, BLUE)], images=3)
    assert _pixels(page, RED) == 5 * 3 * PICTURE**2
    assert _pixels(page, BLUE) == 2 * 3 * PICTURE**2
    assert _pixels(page, GREEN) > 7 * 50, "each name has a patch of its colour"


def test_the_first_section_lies_above_the_second():
    page = np.asarray(sheet("Heading", "How to read it", [_section(3, RED), _section(3, BLUE)], images=3))
    red, blue = (np.nonzero((page == colour).all(axis=-1).any(axis=1))[0] for colour in (RED, BLUE))
    assert red.max() < blue.min()


def test_a_long_explanation_takes_more_lines():
    short = sheet("Heading", "How to read it", [_section(1, RED)], images=3)
    long = sheet("Heading", "How to read it, " * 30, [_section(1, RED)], images=3)
    assert long.width == short.width
    assert long.height > short.height


def test_a_section_without_panels_says_so():
    page = sheet("Heading", "How to read it", [_section(0, RED)], images=3)
    assert page.height > 150


def test_a_long_line_ends_within_its_panel():
    def page(figures):
        panel = Panel(name="head", figures=figures, colour=GREEN, pictures=[])
        return np.asarray(
            sheet("Heading", "How", [Section(title="Layer", figures="", panels=[panel] * 2)], 3)
        )

    short, long = page(""), page("cat 80 % of images against 22 % by chance; " * 9)
    width = short.shape[1]
    ink = np.nonzero((short != long).any(axis=(0, 2)))[0]
    # Between the two columns nothing is written.
    assert len(ink)
    assert not set(range(width // 2 - 10, width // 2 + 10)) & set(ink)
    assert ink.max() < width - 20


def test_what_fits_is_not_cut():
    assert fitted("legs 2", 500) == "legs 2"
    assert fitted("legs 2", 30).endswith("…")
    assert fitted("legs 2", 1) == ""
    assert fitted("legs 2", 50) == "legs 2"
    assert fitted("legs 2", 50, 30) != "legs 2"


def test_a_heading_ends_before_the_margin():
    short, long = (np.asarray(sheet(text, "", [], 1)) for text in ("Foxes", 60 * "Foxes, "))
    paper = short[0, 0]
    assert short.shape == long.shape
    assert (short != paper).any()
    assert (long[:, :-10] != paper).any()
    assert (long[:, -10:] == paper).all()
