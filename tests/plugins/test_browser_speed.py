"""What keeps the tabs quick, as counts that no load of the machine changes."""

import time

import pytest

pytest.importorskip("selenium")

from selenium.webdriver import ActionChains

from benchmarks.browser_tab import wait_for
from tests.plugins.in_browser import IN_BROWSER
from tests.plugins.snapshot_example import FILTERS, IMAGES, write_run

pytestmark = IN_BROWSER
ASKED = """
return performance.getEntriesByType("resource").map(({name}) => new URL(name)).filter(
  ({pathname}) => pathname.endsWith("/" + arguments[0])).map(({search}) => search);
"""
NOTE_FIRST_ORDER = """
const order = () => document.querySelector("select[aria-label=sort]").value;
new MutationObserver(() => {
  if (document.querySelector(".cell")) window.firstOrder ??= order();
}).observe(document, {childList: true, subtree: true});
"""
COUNT_CHANGES = """
window.changes = 0;
new MutationObserver((found) => { changes += found.length; }).observe(
  document.querySelector(".grid"), {childList: true, subtree: true, attributes: true});
"""
SCROLL = """
const [to, done] = arguments, grid = document.querySelector(".grid");
grid.scrollTop = to;
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(grid.scrollTop))));
"""


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder, steps=(2,))
    return folder


def settled(value):
    """What a function returns once that stays the same for a second."""
    last, since = value(), time.monotonic()
    while time.monotonic() < since + 1:
        time.sleep(0.1)
        if (found := value()) != last:
            last, since = found, time.monotonic()
    return last


def layouts(tab):
    metrics = tab.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "LayoutCount")


def test_a_row_of_filters_is_one_canvas(tab):
    tab.open("parts", "&p.parts.grouped=0")
    tab.ready("grid")
    assert tab.drawn(".row > canvas.picture")
    assert tab.count(".cell") == FILTERS
    assert tab.count(".grid canvas") == tab.count(".row") == 1


def test_a_row_of_images_is_one_canvas(tab):
    tab.open("part_images")
    tab.ready("image")
    wait_for(lambda: tab.count(".thumb") == IMAGES)
    assert tab.count(".image-list canvas") == tab.count(".thumbs") == IMAGES // 3


def test_scrolling_within_a_stride_changes_and_lays_out_nothing(tab):
    tab.open("parts", "&p.parts.grouped=0&p.parts.side=400")
    tab.ready("grid")
    assert tab.drawn(".row > canvas.picture")
    tab.driver.execute_cdp_cmd("Performance.enable", {})
    tab.script(COUNT_CHANGES)
    before = layouts(tab)
    assert tab.driver.execute_async_script(SCROLL, 100) == 100
    assert tab.script("return changes") == 0
    assert layouts(tab) == before


def test_pointing_at_a_part_asks_for_its_close_ups_and_opening_it_for_no_more(tab):
    tab.open("parts")
    tab.ready("classes")
    assert tab.drawn(".parts-map canvas.picture")
    before = set(tab.script(ASKED, "crop"))
    part = tab.find(".mean-bars button")
    ActionChains(tab.driver).move_to_element(part).perform()
    wait_for(lambda: len(tab.script(ASKED, "crop")) > len(before))
    pointed = settled(lambda: tab.script(ASKED, "crop"))
    maps = tab.script(ASKED, "part_maps")
    part.click()
    wait_for(lambda: tab.count(".part-card .crops canvas[data-drawn]") == 4)
    asked = tab.script(ASKED, "crop")
    assert sorted(asked) == sorted(set(asked)), "a picture is asked for once"
    assert set(asked) - set(pointed) == set()
    assert tab.script(ASKED, "part_maps") == maps


def test_who_comes_from_the_classes_sees_filters_in_their_order_at_once(tab):
    tab.open("parts")
    tab.ready("classes")
    tab.script(NOTE_FIRST_ORDER)
    tab.find(".mean-bars button").click()
    tab.find(".cell")
    assert tab.script("return window.firstOrder") == "contribution"
