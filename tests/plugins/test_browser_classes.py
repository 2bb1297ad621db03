"""The first screen of the Parts tab in a real browser: what classes consist of, and the ways from there."""

import numpy as np
import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By

from benchmarks.browser_tab import wait_for
from tests.plugins.in_browser import IN_BROWSER, number_of
from tests.plugins.snapshot_example import IMAGES, some_scores, some_snapshot, write_run

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "old", steps=(2,), old=True)
    write_run(folder / "zebra", steps=(3,))
    return folder


def values_of(card, selector):
    return [number_of(one) for one in card.find_elements(By.CSS_SELECTOR, f"{selector} .value")]


def expected(label):
    """The mean contribution of each part, and the mean score, from what was written."""
    first = some_scores().ranked[0]
    images = np.arange(IMAGES) % 2 == label
    filters = first.attribution.parts[images].mean(axis=0)
    (groups,) = [figure.values for figure in some_snapshot().layers[0].figures if figure.key == "group"]
    parts = {int(group): filters[groups == group].sum() for group in np.unique(groups[~np.isnan(groups)])}
    return parts, first.attribution.scores[images].mean()


def test_the_answer_comes_first_and_adds_up(tab):
    tab.open("parts")
    tab.ready("classes")
    assert tab.drawn(".parts-map canvas.picture")
    for label, name in enumerate(("fox", "cat")):
        card = tab.find(f".class-card[data-class={name}]")
        parts, score = expected(label)
        for group, value in parts.items():
            (row,) = card.find_elements(By.CSS_SELECTOR, f"[data-part='{group}']")
            assert number_of(row.find_element(By.CSS_SELECTOR, ".value")) == pytest.approx(value, abs=0.006)
        rows = values_of(card, ".mean-bars li")
        assert sum(rows) == pytest.approx(score, abs=0.006 * len(rows))
        assert "nats" in card.find_element(By.CSS_SELECTOR, "h2").text


def test_a_bar_and_a_mark_light_the_region_and_lead_to_the_part(tab):
    tab.open("parts")
    tab.ready("classes")
    tab.drawn(".parts-map canvas.picture")
    pixels = "return document.querySelector('.parts-map canvas').toDataURL()"
    plain = tab.script(pixels)
    tab.script("document.querySelector('.mean-bars button').focus()")
    wait_for(lambda: tab.script(pixels) != plain)
    tab.script("document.querySelector('.parts-map .mark').focus()")
    assert wait_for(lambda: tab.count(".mean-bars .lit") == 1)
    part = tab.find(".mean-bars .lit").get_attribute("data-part")
    tab.find(".parts-map .mark").click()
    tab.ready("grid")
    assert tab.find("input[type=search]").get_attribute("value") == f"group {int(part) + 1}"
    assert tab.count(".cell") > 0
    tab.write("input[type=search]", "")
    wait_for(lambda: "7 of 7" in tab.find("output.count").text)
    tab.script("parent.history.back()")
    tab.ready("classes")
    tab.find(".mean-bars button").click()
    tab.ready("grid")


def test_the_matrix_has_every_part_and_class(tab):
    tab.open("parts")
    tab.ready("classes")
    tab.find(".views button", "matrix").click()
    wait_for(lambda: "p.parts.view=matrix" in tab.address)
    parts, _ = expected(0)
    assert tab.count(".matrix tbody tr") == len(parts)
    assert tab.count(".matrix thead th") == 3
    tab.find(".matrix .link").click()
    tab.ready("grid")


def test_an_image_of_a_class_is_explained(tab):
    tab.open("parts")
    tab.ready("classes")
    tab.find(".class-card[data-class=cat] .link").click()
    tab.enter("part_images")
    assert int(tab.ready("image").get_attribute("data-image")) % 2 == 1, "image 1, 3, ... are taken for cats"


def test_a_part_bears_the_name_that_it_has_on_images_of_the_class(tab):
    tab.open("parts")
    tab.ready("classes")
    assert tab.find(".class-card[data-class=fox] [data-part='0'] .name").text == "head"
    assert tab.find(".class-card[data-class=cat] [data-part='0'] .name").text == "ear"


def test_snapshots_of_before_show_the_names_that_they_have(tab):
    tab.open("parts", "&p.parts.run=old")
    tab.ready("classes")
    assert tab.find(".class-card[data-class=cat] [data-part='0'] .name").text == "head"
    tab.find("button", "filters").click()
    assert "93 % of images against 31 % by chance" in tab.find(".part-card", "Head").text
