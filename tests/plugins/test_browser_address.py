"""The tabs' addresses in a real browser: Back goes back, and what an address asks for in vain is said."""

import pytest

pytest.importorskip("selenium")

from selenium.webdriver import ActionChains

from benchmarks.browser_tab import Tab, wait_for
from benchmarks.plugin_server import serving
from tests.plugins.in_browser import IN_BROWSER
from tests.plugins.snapshot_example import write_run
from tests.plugins.test_damaged import text, write_damaged

pytestmark = IN_BROWSER
WINDOW = (1400, 900)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "zebra", steps=(2, 30))
    write_damaged(folder / "broken", text("{"))
    return folder


def test_back_goes_back_from_filter_to_filter_but_not_along_a_slider(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0")
    tab.ready("grid")
    tab.find(".cell[data-filter='2']").click()
    wait_for(lambda: "p.parts.filter=2" in tab.address)
    tab.find(".cell[data-filter='4']").click()
    wait_for(lambda: "p.parts.filter=4" in tab.address)
    tab.write("input[type=search]", "#4")
    wait_for(lambda: "p.parts.query=%234" in tab.address)
    tab.script("parent.history.back()")
    wait_for(lambda: "p.parts.filter=2" in tab.address)
    tab.script("parent.history.back()")
    wait_for(lambda: "p.parts.filter" not in tab.address)
    tab.script("parent.history.forward()")
    wait_for(lambda: "p.parts.filter=2" in tab.address)
    tab.find("aside h2", "2")


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "no clipboard"])
def test_a_link_is_copied_or_shown_where_the_browser_forbids_that(tab, allowed):
    tab.open("parts", "&p.parts.run=zebra&p.parts.filter=2")
    tab.ready("panel")
    clipboard = "{writeText: async (text) => { window.copied = text; }}" if allowed else "undefined"
    tab.script(f"Object.defineProperty(navigator, 'clipboard', {{value: {clipboard}}})")
    tab.find(".panel nav button", "Link").click()
    if allowed:
        tab.find(".panel nav button", "Copied")
        link = tab.script("return window.copied")
    else:
        assert "does not let this page write" in tab.ready("link").text
        link = tab.find("input[aria-label=link]").get_attribute("value")
    assert link.startswith("http://")
    assert "p.parts.run=zebra" in link
    assert "p.parts.filter=2" in link


@pytest.mark.parametrize("plugin", ["parts", "part_images"])
def test_what_is_asked_for_in_vain_is_said(tab, plugin):
    tab.open(plugin, f"&p.{plugin}.run=gone&p.{plugin}.step=7&p.{plugin}.compare=__proto__")
    said = tab.find(".missing-notes", "gone").text
    assert "There is no run gone: zebra is shown." in said
    assert "Step 7 is not stored: step 2 is shown." in said
    assert "There is no run __proto__ to compare with." in said
    assert "broken" in said


@pytest.mark.parametrize("wild", ["__proto__", "constructor", "1.5", "99999", "-1"])
def test_wild_addresses_change_nothing(tab, wild):
    keys = (
        "filter",
        "zoom",
        "sort",
        "flags",
        "side",
        "shown",
        "path",
        "look",
        "unfolded",
        "layer",
        "__proto__",
    )
    tab.open("parts", "".join(f"&p.parts.{key}={wild}" for key in keys if (key, wild) != ("flags", wild)))
    tab.ready("grid")
    assert tab.count(".part-card") > 0
    keys = ("image", "only", "sort", "class", "times", "by", "chosen", "look", "constructor")
    tab.open("part_images", "".join(f"&p.part_images.{key}={wild}" for key in keys))
    assert tab.ready("image").get_attribute("data-image") == "0"


def test_a_click_on_a_histogram_hides_nothing(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0")
    tab.ready("grid")
    cells = tab.count(".cell")
    ActionChains(tab.driver).click(tab.find("svg.brush")).perform()
    ActionChains(tab.driver).click(tab.find("svg.brush")).perform()
    assert "ranges" not in tab.address
    assert tab.count(".cell") == cells


def test_a_filtered_list_shows_no_unlisted_image(tab):
    tab.open("part_images", "&p.part_images.run=zebra&p.part_images.query=cat")
    assert tab.ready("image").get_attribute("data-image") == "1", "image 0 is a fox"
    tab.write("input[type=search]", "nothing like it")
    tab.find("h1", "No matching images")
    tab.find(".message button", "clear all").click()
    tab.ready("image")
    wait_for(lambda: "p.part_images.query" not in tab.address)


def test_where_no_filter_is_left_all_can_be_cleared(tab):
    chosen = "&p.parts.query=x&p.parts.flags=dead&p.parts.ranges=peak:0:1"
    tab.open("parts", f"&p.parts.run=zebra&p.parts.grouped=0{chosen}")
    tab.find(".grid[data-shown='0'] button", "clear all").click()
    tab.ready("grid")
    assert "7 of 7" in tab.find("output.count").text


def test_a_run_that_is_being_written_appears_without_a_reload(tmp_path, tab):
    write_run(tmp_path / "first", steps=(2,))
    with serving(str(tmp_path), "--reload_interval=1") as server:
        growing = Tab(tab.driver, server)
        growing.open("parts", "&p.parts.run=first")
        growing.ready("classes")
        write_run(tmp_path / "second", steps=(2, 9))
        growing.find("select[aria-label=run] option", "second")
        growing.choose("run", "second")
        wait_for(lambda: "2 of 2 steps kept" in growing.find(".steps output").text)
        growing.ready("classes")
        growing.drawn(".parts-map canvas.picture")
        # The server goes before the page does.
        tab.driver.switch_to.default_content()
        tab.driver.get("about:blank")
