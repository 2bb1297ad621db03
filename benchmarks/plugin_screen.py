"""Measures waiting times in the TensorBoard tabs, in headless Chromium, and counts problems by axe-core."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Iterator

import numpy as np
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from benchmarks.browser_tab import Tab, browser, wait_for
from benchmarks.child_process import ROOT
from benchmarks.questions import QUESTIONS, answers

_AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SCREENS = {
    "classes": ("parts", ""),
    "matrix": ("parts", "&p.parts.view=matrix"),
    "grid": ("parts", "&p.parts.view=filters"),
    "panel": ("parts", "&p.parts.filter=1"),
    "image": ("part_images", ""),
}
_FRAMES = """
const [selector, done] = arguments, grid = document.querySelector(selector), times = [];
let last = performance.now();
function frame(now) {
  times.push(now - last); last = now; grid.scrollTop += 45;
  if (times.length < 180) requestAnimationFrame(frame); else done(times.slice(5));
}
requestAnimationFrame(frame);
"""
# Recorded by the page itself, as a driver that polls would slow down the page.
_FIRST_SEEN = """
const seen = (window.firstSeen = {}), wanted = %s;
new MutationObserver(() => {
  for (const selector of wanted)
    if (!(selector in seen) && document.querySelector(selector)) seen[selector] = performance.now();
}).observe(document, { childList: true, subtree: true, attributes: true });
"""
_ANSWER, _PICTURE, _FILTERS = (
    ".mean-bars button",
    ".parts-map canvas[data-drawn]",
    ".row > canvas[data-drawn]",
)
_OPENED = """
const [bar, done] = arguments, start = performance.now();
const ready = () => document.querySelectorAll(".part-card .crop-button canvas[data-drawn]").length >= 4;
function look() { if (ready()) done(performance.now() - start); else requestAnimationFrame(look); }
document.querySelectorAll(".mean-bars button")[bar].click();
look();
"""
_POINTED = 0.2  # seconds
_AXE_RUN = """
const [values, done] = arguments;
axe.run(document, {runOnly: {type: "tag", values}}).then(({violations}) => done(violations.length));
"""


@contextlib.contextmanager
def screen(server: str) -> Iterator[Tab]:
    """Opens a browser."""
    with browser() as driver:
        driver.set_script_timeout(60)
        watched = _FIRST_SEEN % json.dumps([_ANSWER, _PICTURE, _FILTERS])
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": watched})
        yield Tab(driver, server)


def first_answer(tab: Tab) -> float:
    """Returns the seconds from opening the tab to the parts that speak for each class, median of 5."""
    return _until(tab, "", _ANSWER)


def first_picture(tab: Tab) -> float:
    """Returns the same for the first class's image with the regions of its parts."""
    return _until(tab, "", _PICTURE)


def first_filters(tab: Tab) -> float:
    """Returns the same for the first filters of the grid."""
    return _until(tab, "&p.parts.grouped=0", _FILTERS)


def _until(tab: Tab, state: str, shown: str) -> float:
    times = []
    for _ in range(5):
        tab.open("parts", state)
        time.sleep(1)  # Leaves the page undisturbed at first.
        times.append(wait_for(lambda: tab.script("return window.firstSeen[arguments[0]]", shown)) / 1000)
    return statistics.median(times)


def opened_part(tab: Tab, *, pointed: bool = False) -> float:
    """Returns the seconds from a click on a bar to the part's card with four close-ups, median of 5.

    Args:
        tab: of the browser.
        pointed: whether the pointer rests on the bar for a while first.
    """
    times = []
    for bar in range(5):
        tab.open("parts")
        tab.ready("classes")
        tab.drawn(".parts-map canvas.picture")
        if pointed:
            bars = tab.driver.find_elements(By.CSS_SELECTOR, ".mean-bars button")
            ActionChains(tab.driver).move_to_element(bars[bar]).pause(_POINTED).perform()
        times.append(tab.driver.execute_async_script(_OPENED, bar) / 1000)
    return statistics.median(times)


def frames(tab: Tab, plugin: str, state: str, ready: str, scroller: str) -> tuple[float, float]:
    """Returns the frames per second while scrolling: the median, and that of the slowest twentieth."""
    tab.open(plugin, state)
    tab.ready(ready)
    times = tab.driver.execute_async_script(_FRAMES, scroller)
    return 1000 / statistics.median(times), 1000 / float(np.quantile(times, 0.95))


def questions(tab: Tab) -> str:
    """Returns how many of the fixed questions are answered, and the clicks for each."""
    found = answers(tab)
    clicks = ", ".join(str(answer.clicks) for answer in found.values())
    return f"{len(found)} of {len(QUESTIONS)} ({clicks} clicks)"


def violations(tab: Tab) -> int | None:
    """Returns how many rules of axe-core are broken on all screens; None if it is not installed."""
    if not _AXE.is_file():
        return None
    found = 0
    for ready, (plugin, state) in _SCREENS.items():
        for dark in (False, True):
            tab.open(plugin, state, dark=dark)
            tab.ready("classes" if ready == "matrix" else ready)
            tab.script(_AXE.read_text(encoding="utf-8"))
            found += tab.driver.execute_async_script(_AXE_RUN, _RULES)
    return found
