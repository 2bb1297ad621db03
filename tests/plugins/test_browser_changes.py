"""What is deleted or written anew while a page shows it, and names in any script, in a real browser."""

import shutil

import pytest

pytest.importorskip("selenium")

from benchmarks.browser_tab import Tab, browser, wait_for
from benchmarks.plugin_server import serving
from tests.plugins.in_browser import IN_BROWSER
from tests.plugins.snapshot_example import write_run

# What is gone cannot be fetched, and the browser's console says so.
pytestmark = IN_BROWSER[:2]
PIXELS = "return document.querySelector('.row > canvas').toDataURL()"


@pytest.fixture(scope="module")
def driver():
    with browser(1400, 900) as driver:
        yield driver


@pytest.fixture(params=["true", "false"], ids=["fast loader", "slow loader"])
def shown(request, tmp_path, driver):
    write_run(tmp_path / "zebra", steps=(2,))
    write_run(tmp_path / "evaluation", steps=(2,))
    with serving(str(tmp_path), f"--load_fast={request.param}", "--reload_interval=1") as server:
        yield Tab(driver, server), tmp_path
        # The page goes before the server does.
        driver.switch_to.default_content()
        driver.get("about:blank")


@pytest.mark.parametrize(("plugin", "ready"), [("parts", "classes"), ("part_images", "image")])
def test_a_run_that_is_deleted_is_said_to_be_gone_and_another_one_is_shown(shown, plugin, ready):
    tab, folder = shown
    tab.open(plugin)
    tab.ready(ready)
    assert tab.find("select[aria-label=run]").get_attribute("value") == "evaluation"
    shutil.rmtree(folder / "evaluation")
    said = tab.find(".missing-notes", "deleted or moved").text
    assert "Run evaluation was deleted or moved while this page showed it: zebra is shown." in said
    tab.ready(ready)
    shutil.rmtree(folder / "zebra")
    tab.find(".message pre")
    assert "Run zebra was deleted or moved while this page showed it." in tab.find(".missing-notes").text
    write_run(folder / "evaluation", steps=(4,))
    tab.ready(ready)
    assert "evaluation" not in tab.find(".missing-notes", "zebra").text.split("zebra was deleted")[0]


def test_a_run_that_is_written_anew_is_drawn_anew(shown):
    tab, folder = shown
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0&p.parts.sort=index")
    tab.ready("grid")
    tab.drawn()
    before = tab.script(PIXELS)
    shutil.rmtree(folder / "zebra")
    write_run(folder / "zebra", steps=(2,), seed=5)
    wait_for(lambda: tab.count(".row > canvas[data-drawn]") and tab.script(PIXELS) != before, 60)
    assert not tab.count(".message")


def test_a_server_that_is_gone_is_said_to_be(tmp_path, driver):
    write_run(tmp_path / "zebra", steps=(2,))
    with serving(str(tmp_path)) as server:
        tab = Tab(driver, server)
        tab.open("parts")
        tab.ready("classes")
    assert "TensorBoard does not answer" in tab.find(".missing-notes").text
    tab.ready("classes")
    driver.switch_to.default_content()
    driver.get("about:blank")


NAMES = "\u65e5\u672c\u8a9e \N{FOX FACE}", "\u306d\u3053 \N{CAT FACE}\N{ZERO WIDTH JOINER}"
RUN = "\u8a55\u4fa1 \N{BIRD}"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("loader", ["true", "false"])
def test_runs_and_classes_in_any_script_are_shown_searched_and_linked(tmp_path, driver, width, loader):
    write_run(tmp_path / RUN, steps=(2,), classes=NAMES, mistaken=(3,))
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    with serving(str(tmp_path), f"--load_fast={loader}") as server:
        tab = Tab(driver, server)
        tab.complaints()  # of the tests before
        tab.open("parts")
        tab.ready("classes")
        named = "return [...document.querySelectorAll('.class-card')].map((card) => card.dataset.class)"
        assert tab.script(named) == list(NAMES)
        assert tab.find(".class-card h2").text.startswith(NAMES[0])
        assert RUN in tab.script("return document.querySelector('.toolbar').textContent")
        assert tab.script("return document.documentElement.scrollWidth <= innerWidth")
        tab.find(".mistakes button").click()
        tab.enter("part_images")
        tab.ready("image")
        assert f"Taken for {NAMES[0]}, but it is {NAMES[1]}" in tab.find(".misled").text
        tab.write("input[type=search]", NAMES[0][:3])
        tab.find("h1", "No matching images")
        tab.open("parts", f"&p.parts.view=filters&p.parts.query={NAMES[1]}")
        tab.find(".grid[data-shown='0']")
        assert tab.find("input[type=search]").get_attribute("value") == NAMES[1]
        assert tab.complaints() == []
        driver.switch_to.default_content()
        driver.get("about:blank")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
