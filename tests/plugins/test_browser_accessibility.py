"""Both tabs for people who use a keyboard or a screen reader: axe-core and the focus."""

import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.keys import Keys

from benchmarks.browser_tab import wait_for
from tests.plugins.in_browser import IN_BROWSER
from tests.plugins.snapshot_example import write_run
from tests.support.source_imports import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# axe-core looks for style sheets where they are not, and the browser's console says so.
pytestmark = IN_BROWSER[:2]
STATES = {
    "classes": ("parts", "&p.parts.run=zebra"),
    "matrix": ("parts", "&p.parts.run=zebra&p.parts.view=matrix"),
    "cards": ("parts", "&p.parts.run=zebra&p.parts.view=filters&p.parts.unfolded=0"),
    "grid beside another run": ("parts", "&p.parts.run=zebra&p.parts.grouped=0&p.parts.compare=other"),
    "a filter": ("parts", "&p.parts.run=zebra&p.parts.filter=2&p.parts.look=heat"),
    "settings of the grid": ("parts", "&p.parts.run=zebra&p.parts.grouped=0&p.parts.look=heat"),
    "settings of an image": ("part_images", "&p.part_images.run=zebra"),
    "enlargement": ("parts", "&p.parts.run=zebra&p.parts.filter=2&p.parts.zoom=2,1,block/parts"),
    "nothing there": ("parts", "&p.parts.run=gone&p.parts.query=nothing"),
    "an image": ("part_images", "&p.part_images.run=zebra&p.part_images.off=g0&p.part_images.chosen=g0"),
    "an image beside another run": ("part_images", "&p.part_images.run=zebra&p.part_images.compare=other"),
    "no image": ("part_images", "&p.part_images.run=zebra&p.part_images.query=nothing"),
}
READY = ", ".join(f"[data-ready={name}]" for name in ("classes", "grid", "image", "message"))
READY += ", .grid[data-shown='0']"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "zebra", steps=(2, 30))
    write_run(folder / "other", steps=(30,))
    return folder


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: npm ci")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_core_finds_no_violation(tab, state, dark):
    plugin, address = STATES[state]
    tab.open(plugin, address, dark=dark)
    tab.find(READY)
    if state == "enlargement":
        tab.ready("zoom")
    if "settings" in state:
        tab.find("button[popovertarget=overlay]").click()
    tab.script(AXE.read_text(encoding="utf-8"))
    found = tab.driver.execute_async_script(
        "const [values, done] = arguments; axe.run(document, {runOnly: {type: 'tag', values}}).then(done);",
        RULES,
    )
    assert len(found["passes"]) > 10
    assert [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]
    ] == []


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_borders_bars_and_placeholders_stand_out(tab, dark):
    tab.open("parts", "&p.parts.run=zebra&p.parts.view=filters", dark=dark)
    tab.ready("grid")
    names = ("edge", "bar", "rest", "accent", "soft", "ink", "warn", "paper", "ground", "raised")
    read = "getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()"
    values = tab.script(f"return arguments[0].map((name) => {read})", names)
    colours = {
        name: f"#{2 * value[1:]}" if len(value) == 4 else value
        for name, value in zip(names, values, strict=True)
    }
    for ground in ("paper", "ground", "raised"):
        for name in ("edge", "bar", "rest", "accent", "warn"):
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
        for name in ("soft", "ink"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    hint = "return getComputedStyle(document.querySelector('.search'), '::placeholder')"
    assert tab.script(f"{hint}.opacity") == "1"
    border = tab.script("return getComputedStyle(document.querySelector('.search')).borderTopColor")
    assert border == "rgb({}, {}, {})".format(*(int(colours["edge"][at : at + 2], 16) for at in (1, 3, 5)))


@pytest.mark.parametrize("state", STATES)
def test_nothing_to_click_on_is_small(tab, state):
    plugin, address = STATES[state]
    tab.open(plugin, address)
    tab.find(READY)
    small = tab.script(
        """return [...document.querySelectorAll("button, select, input, summary")].filter((one) => {
          const {width, height} = (one.closest("label") ?? one).getBoundingClientRect();
          return width && (width < 24 || height < 24) && !one.matches(".link, .skip");
        }).map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert small == []


def test_keys_work_without_a_click_and_the_first_stop_leads_past_the_controls(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.grouped=0&p.parts.sort=index")
    tab.ready("grid")
    tab.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    assert tab.ready("panel").get_attribute("data-filter") == "1"
    for plugin, what in (("parts", "grid"), ("part_images", "image")):
        tab.open(plugin, f"&p.{plugin}.run=zebra&p.{plugin}.view=filters")
        tab.ready(what)
        tab.press(Keys.TAB)
        assert "skip to" in tab.script("return document.activeElement.textContent")
        tab.press(Keys.ENTER)
        assert tab.script("return document.activeElement.id") == "content"
    tab.open("part_images", "&p.part_images.run=zebra")
    tab.ready("image")
    tab.press(Keys.ARROW_RIGHT)
    wait_for(lambda: tab.find(".explained").get_attribute("data-image") == "1")


@pytest.mark.parametrize("plugin", ["parts", "part_images"])
def test_settings_open_by_keyboard_and_escape_leads_back_to_their_button(tab, plugin):
    opened = "&p.parts.filter=2" if plugin == "parts" else ""
    tab.open(plugin, f"&p.{plugin}.run=zebra{opened}")
    tab.ready("panel" if opened else "image")
    button = tab.find("button[popovertarget=overlay]")
    assert button.get_attribute("aria-expanded") == "false"
    assert not tab.find("#overlay").is_displayed()
    tab.script("arguments[0].focus()", button)
    tab.press(Keys.ENTER)
    wait_for(lambda: tab.find("#overlay").is_displayed())
    wait_for(lambda: button.get_attribute("aria-expanded") == "true")
    tab.press(Keys.TAB)
    assert tab.script("return document.activeElement.ariaLabel") == "overlay"
    tab.press(Keys.ESCAPE)
    wait_for(lambda: not tab.find("#overlay").is_displayed())
    wait_for(lambda: button.get_attribute("aria-expanded") == "false")
    assert tab.script("return document.activeElement === arguments[0]", button)
    assert tab.count(".panel") == bool(opened), "Escape closed the settings, and nothing else"


def test_the_focus_stays_in_the_enlargement_and_goes_back(tab):
    tab.open("parts", "&p.parts.run=zebra&p.parts.filter=2")
    tab.ready("panel")
    tab.script("document.querySelector('.panel .image').focus()")
    tab.press(Keys.ENTER)
    tab.ready("zoom")
    inside = "return document.querySelector('dialog').contains(document.activeElement)"
    seen = set()
    for _ in range(12):
        assert tab.script(inside)
        seen.add(tab.script("return document.activeElement.textContent.trim()"))
        tab.press(Keys.TAB)
    assert {"1:1", "landmarks", "✕"} <= seen
    tab.press(Keys.SHIFT, Keys.TAB)
    assert tab.script(inside)
    tab.press(Keys.NULL, Keys.ESCAPE)
    wait_for(lambda: not tab.count("dialog"))
    assert tab.script("return document.activeElement.className") == "image"
    assert tab.count(".panel") == 1, "the filter stays open"
