"""Both tabs in a real browser: every feature is used, and what is on screen afterwards is asserted."""

import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from benchmarks.browser_tab import Tab, wait_for
from benchmarks.plugin_server import serving
from tests.plugins.in_browser import IN_BROWSER
from tests.plugins.snapshot_example import FILTERS, IMAGES, write_run

pytestmark = IN_BROWSER
WINDOW = (1600, 1000)
CANARY = "<img src=x onerror=parent.canary=1>"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / CANARY.replace("/", "_"), steps=(2, 30, 31))
    write_run(folder / "zebra", steps=(30,))
    return folder


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast loader", "slow loader"])
def flags(request):
    return [f"--load_fast={request.param}"]


def shown(tab):
    return [
        int(cell.get_attribute("data-filter")) for cell in tab.driver.find_elements(By.CSS_SELECTOR, ".cell")
    ]


def test_grid_sort_search_flags_groups_and_ranges(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0")
    tab.ready("grid")
    assert sorted(shown(tab)) == list(range(FILTERS))
    assert tab.drawn()
    tab.choose("sort", "peak")
    wait_for(lambda: "p.parts.sort=peak" in tab.address)
    by_peak = shown(tab)
    assert by_peak[-1] == 3, "the dead filter is last"
    tab.find("button", "high first").click()
    wait_for(lambda: shown(tab) == by_peak[::-1] or shown(tab)[0] == 3)
    tab.write("input[type=search]", "5, 2")
    wait_for(lambda: sorted(shown(tab)) == [2, 5])
    tab.write("input[type=search]", "dead")
    wait_for(lambda: shown(tab) == [3])
    tab.write("input[type=search]", "")
    tab.find("label.check", "duplicate").click()
    wait_for(lambda: shown(tab) == [5])
    tab.find("label.check", "duplicate").click()
    wait_for(lambda: len(shown(tab)) == FILTERS)
    tab.write("input[aria-label='responds on, at least']", "50")
    wait_for(lambda: sorted(shown(tab)) == [0, 1, 2, 4, 5, 6])
    assert "p.parts.ranges=live" in tab.address
    tab.find("details.range[open] .exact button:enabled").click()
    wait_for(lambda: len(shown(tab)) == FILTERS)
    tab.find("button", "by part").click()
    card = tab.find(".part-card", "Head").text
    assert "on the head of fox in 93 % of images (PCK@0.1), chance 31 %" in card
    tab.find(".part-card", "On their own")
    assert "7 of 7" in tab.find("output.count").text


def test_a_filter_opened(tab, downloads):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0")
    tab.ready("grid")
    tab.find(".cell[data-filter='2']").click()
    tab.ready("panel")
    wait_for(lambda: "p.parts.filter=2" in tab.address)
    assert tab.count(".panel section:first-of-type .image") == IMAGES
    assert tab.drawn(".panel canvas.picture")
    for name in ("random", "weakest", "strongest"):
        tab.find(".panel .tab", name.capitalize()).click()
        assert tab.find(".panel .tab[aria-pressed=true]").text == name.capitalize()
    assert "Closest filter of performer's block" in tab.find(".panel").text
    assert "images; 0 without any response" in tab.find(".panel").text
    assert tab.find("table.figures tbody tr", "mean peak")
    tab.script(
        "document.querySelector('.density .bin').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert "at this place" in tab.find(".panel .tab[aria-pressed=true]").text
    link = tab.address
    assert "p.parts.shown=" in link
    tab.open("parts", "&" + link.split("&", 1)[1])
    tab.ready("panel")
    assert "at this place" in tab.find(".panel .tab[aria-pressed=true]").text
    tab.choose("figure across steps", "mean_peak")
    wait_for(lambda: tab.count(".panel svg circle") >= 1)
    tab.find(".panel nav button", "PNG").click()
    wait_for(lambda: list(downloads.glob("*filter-2*.png")))
    tab.find(".chooser button", "CSV").click()
    (table,) = wait_for(lambda: list(downloads.glob("*step-30*.csv")))
    lines = table.read_text().splitlines()
    assert len(lines) == FILTERS + 1
    assert lines[0].startswith("filter,highest response [activation],")
    table.unlink()
    next(downloads.glob("*filter-2*.png")).unlink()


def test_zoom_to_the_image_and_back_to_its_parts(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.filter=2")
    tab.ready("panel")
    tab.find(".panel .image").click()
    tab.ready("zoom")
    tab.find(".zoom nav button", "1:1").click()
    assert wait_for(lambda: tab.script("return document.querySelector('.zoom canvas').width") == 40)
    assert "<img" in tab.find(".zoom h2").text, "names are text"
    tab.open("parts", "&" + tab.address.split("&", 1)[1])
    tab.ready("zoom")
    assert wait_for(lambda: tab.script("return document.querySelector('.zoom canvas').width") == 40)
    tab.find(".zoom nav button", "explain image").click()
    tab.enter("part_images")
    tab.ready("image")
    assert tab.drawn(".large canvas.picture")
    assert "explain this score: they give" in tab.find(".verdict").text
    tab.find("button.tab", "By filter").click()
    tab.find(".why button", f"all {FILTERS} filters").click()
    assert wait_for(lambda: tab.count(".step .crop") == FILTERS)
    tab.driver.find_elements(By.CSS_SELECTOR, "button.step-line")[1].click()
    assert wait_for(lambda: tab.count(".step-line[aria-pressed=true]") == 1)
    tab.find("button.link").click()
    tab.enter("parts")
    tab.ready("panel")


def test_the_images_tab_is_searched_and_walked(tab):
    tab.open("part_images", "&p.part_images.run=zebra&p.part_images.image=4")
    tab.ready("image")
    assert tab.count(".thumb") == IMAGES
    assert tab.find(".explained").get_attribute("data-image") == "4"
    tab.find(".image-list").send_keys(Keys.ARROW_RIGHT)
    wait_for(lambda: tab.find(".explained").get_attribute("data-image") == "5")
    wait_for(lambda: "p.part_images.image=5" in tab.address)
    tab.write("input[type=search]", "cat")
    wait_for(lambda: tab.count(".thumb") == IMAGES // 2)
    tab.choose("only", "wrong")
    wait_for(lambda: "0 of 9 images" in tab.find("output.count").text)


def test_an_image_beside_another_run(tab):
    other = CANARY.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20").replace("=", "%3D")
    tab.open("part_images", f"&p.part_images.run=zebra&p.part_images.image=4&p.part_images.compare={other}")
    tab.ready("image")
    wait_for(lambda: tab.count(".waterfall") == 2)
    assert tab.drawn(".large canvas.picture")
    assert tab.count(".beside-run .tracks canvas") == 2
    tab.find(".explained nav button", "3:1").click()
    wait_for(lambda: "p.part_images.times=3" in tab.address)
    assert tab.script("return document.querySelector('.parts-map canvas').clientWidth") == 120
    tab.open("part_images", "&p.part_images.run=zebra&p.part_images.image=4&p.part_images.compare=gone")
    assert "this run does not exist" in tab.find(".beside-run").text


def test_steps_runs_side_by_side_and_links(tab):
    tab.open(
        "parts",
        "&p.parts.run=zebra&p.parts.grouped=0&p.parts.compare="
        + CANARY.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20").replace("=", "%3D"),
    )
    tab.ready("grid")
    wait_for(lambda: tab.count(".cell .picture") == 2 * FILTERS)
    tab.choose("run", CANARY)
    wait_for(lambda: "3 of 3 steps kept" in tab.find(".steps output").text)
    tab.write("input[aria-label='exact step']", "3")
    wait_for(lambda: "p.parts.step=2" in tab.address)
    tab.find(".grid").click()
    tab.press("]")
    wait_for(lambda: "p.parts.step=30" in tab.address)
    tab.choose("layer", "performer")
    wait_for(lambda: "p.parts.layer=performer" in tab.address)
    link = tab.address
    tab.open(link.lstrip("#").split("&")[0], "&" + link.split("&", 1)[1])
    tab.ready("grid")
    assert Select(tab.find("select[aria-label=layer]")).first_selected_option.text == "performer's block"
    assert tab.find("input[aria-label='exact step']").get_attribute("value") == "30"


def test_everything_by_keyboard(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0&p.parts.sort=index")
    tab.ready("grid").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    assert tab.ready("panel").get_attribute("data-filter") == "1"
    tab.press("n")
    wait_for(lambda: tab.ready("panel").get_attribute("data-filter") == "2")
    tab.press("p")
    wait_for(lambda: tab.ready("panel").get_attribute("data-filter") == "1")
    tab.press(Keys.ESCAPE)
    wait_for(lambda: not tab.count(".panel"))
    tab.press("g")
    wait_for(lambda: tab.count(".part-card"))
    tab.press("?")
    assert "next and previous filter" in tab.ready("keys").text
    tab.press(Keys.ESCAPE)
    wait_for(lambda: not tab.count("[data-ready=keys]"))
    tab.press("/")
    assert tab.script("return document.activeElement.type") == "search"
    tab.open("part_images", "&p.part_images.run=zebra")
    tab.ready("image").click()
    tab.press("/")
    assert tab.script("return document.activeElement.type") == "search"
    tab.press(Keys.ESCAPE)
    tab.press("?")
    tab.ready("keys")


def test_overlays_and_themes(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0", dark=True)
    tab.ready("grid")
    assert tab.script("return document.documentElement.dataset.theme") == "dark"
    pixels = "return document.querySelector('.row > canvas').toDataURL()"
    tab.drawn()
    tab.find("button[popovertarget=overlay]").click()
    seen = {tab.script(pixels)}
    for mode in ("heat", "none"):
        tab.choose("overlay", mode)
        wait_for(lambda: tab.script(pixels) not in seen)
        seen.add(tab.script(pixels))
    tab.choose("overlay", "heat")
    assert "100 % of each image's highest activation" in tab.find(".legend").text
    tab.choose("colours", "cividis")
    wait_for(lambda: tab.script(pixels) not in seen)
    tab.script("parent.document.body.classList.remove('dark-mode')")
    wait_for(lambda: tab.script("return document.documentElement.dataset.theme") == "light")


def test_a_wrong_link_is_a_message_not_a_blank_page(tab):
    for state in (
        "&p.parts.run=nowhere&p.parts.step=x&p.parts.view=filters",
        "&p.parts.filter=999&p.parts.sort=no&p.parts.look=,,,,",
        "&p.parts.ranges=a:b;c&p.parts.layer=%25zz",
    ):
        tab.open("parts", state)
        tab.ready("grid")


def test_without_data_it_says_what_to_run(tmp_path, tab):
    with serving(str(tmp_path), "--load_fast=false") as server:
        empty = Tab(tab.driver, server)
        for plugin in ("parts", "part_images"):
            empty.open(plugin)
            message = wait_for(lambda: empty.find(".message pre"))
            assert "python -m tf_explainer.evaluate" in message.text
