"""The tab Explained images in a real browser: the waterfall, its regions, and the score without a part."""

import numpy as np
import pytest

pytest.importorskip("selenium")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from benchmarks.browser_tab import wait_for
from tests.plugins.in_browser import IN_BROWSER, number_of
from tests.plugins.snapshot_example import some_scores, some_snapshot, write_run

pytestmark = IN_BROWSER
IMAGE = 4
FOX = "&p.part_images.run=zebra&p.part_images.image=4"
PIXELS = "return document.querySelector('.parts-map canvas').toDataURL()"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "zebra", steps=(2,))
    write_run(folder / "old", steps=(2,), old=True)
    return folder


def values_of(tab):
    """The values of the steps, by their keys."""
    steps = tab.driver.find_elements(By.CSS_SELECTOR, ".waterfall .step")
    return {
        step.get_attribute("data-step"): number_of(step.find_element(By.CSS_SELECTOR, ".value"))
        for step in steps
    }


def expected(rank):
    """What was written of a class of the image, by the steps' keys."""
    attribution = some_scores().ranked[rank].attribution
    filters = attribution.parts[IMAGE]
    (groups,) = [figure.values for figure in some_snapshot().layers[0].figures if figure.key == "group"]
    return {
        "baseline": attribution.baseline[IMAGE],
        "g0": filters[groups == 0].sum(),
        **{f"f{f}": filters[f] for f in np.flatnonzero(np.isnan(groups))},
        "ordinary": attribution.ordinary[IMAGE],
        "gap": attribution.gap[IMAGE],
        "score": attribution.scores[IMAGE],
    }


def test_the_steps_are_what_was_written_and_lead_to_the_score(tab):
    tab.open("part_images", FOX)
    tab.ready("image")
    assert "Why fox?" in tab.find(".why").text
    found = values_of(tab)
    assert found == pytest.approx(expected(0), abs=0.006)
    assert next(iter(found)) == "baseline"
    assert list(found)[-3:] == ["ordinary", "gap", "score"]
    parts = [abs(value) for key, value in found.items() if key[1:].isdigit()]
    assert parts == sorted(parts, reverse=True)
    wait_for(lambda: tab.count(".crop canvas[data-drawn]") == len(parts))
    size = tab.script(
        "const {width, height} = document.querySelector('.crop').getBoundingClientRect();"
        "return [width, height]"
    )
    assert size == [48, 48]


def test_bars_share_one_scale_and_each_begins_where_the_last_ends(tab):
    tab.open("part_images", FOX)
    tab.ready("image")
    spans = tab.script(
        "return [...document.querySelectorAll('.fall')].map((one) => {"
        "const {left, right} = one.getBoundingClientRect(); return [left, right]; })"
    )
    values = list(values_of(tab).values())
    (first, *_), scale = spans, []
    at = first[0] if values[0] > 0 else first[1]
    zero = at
    for (left, right), value in zip(spans[:-1], values[:-1], strict=True):
        assert (left if value > 0 else right) == pytest.approx(at, abs=2)
        at = right if value > 0 else left
        if abs(value) > 0.5:
            scale.append((right - left) / abs(value))
    assert np.ptp(scale) / np.mean(scale) < 0.1
    assert at == pytest.approx(spans[-1][1] if values[-1] > 0 else spans[-1][0], abs=2), "the score"
    assert zero == pytest.approx(spans[-1][0] if values[-1] > 0 else spans[-1][1], abs=2)


def test_a_bar_lights_the_part_s_region_and_a_mark_its_bar(tab):
    tab.open("part_images", FOX)
    tab.ready("image")
    tab.drawn(".parts-map canvas")
    plain = tab.script(PIXELS)
    ActionChains(tab.driver).move_to_element(tab.find("[data-step=g0] .step-line")).perform()
    wait_for(lambda: tab.script(PIXELS) != plain)
    assert "the mean region of 2 filters" in tab.find(".region-note").text
    ActionChains(tab.driver).move_to_element(tab.find("h3", "Why fox?")).perform()
    wait_for(lambda: tab.script(PIXELS) == plain)
    # Marks of these small maps lie on one another.
    tab.script("document.querySelector('[data-mark=g0]').focus()")
    wait_for(lambda: tab.count(".step.lit") == 1)
    assert tab.find(".step.lit").get_attribute("data-step") == "g0"
    tab.script("document.querySelector('[data-mark=g0]').click()")
    wait_for(lambda: "p.part_images.chosen=g0" in tab.address)
    tab.find("button.link", "Open head in Parts").click()
    tab.enter("parts")
    tab.ready("grid")
    assert tab.find("input[type=search]").get_attribute("value") == "group 1"


@pytest.mark.parametrize("run", ["zebra", "old"])
def test_without_a_part_the_score_is_the_measured_one_or_says_that_it_is_not(tab, run):
    tab.open("part_images", f"&p.part_images.run={run}&p.part_images.image=4")
    tab.ready("image")
    tab.find("[data-step=g0] .switch-off").click()
    written = expected(0)
    lost = some_scores().lost[IMAGE, 0, 0] if run == "zebra" else written["g0"]
    tab.find("[data-step=without]")
    assert values_of(tab)["without"] == pytest.approx(written["score"] - lost, abs=0.006)
    said = "Measured: the network was run" if run == "zebra" else "the network was not run without"
    assert said in tab.find(".why [role=status]").text
    assert "p.part_images.off=g0" in tab.address
    tab.find("[data-step=g0] .switch-off").click()
    wait_for(lambda: not tab.count("[data-step=without]"))


def test_another_class_and_the_difference_of_two(tab):
    tab.open("part_images", FOX)
    tab.ready("image")
    tab.choose("rather than", "1")
    tab.find("h3", "Why fox rather than cat?")
    tab.ready("image")
    fox, cat = expected(0), expected(1)
    assert values_of(tab) == pytest.approx({key: fox[key] - cat[key] for key in fox}, abs=0.006)
    assert "p.part_images.rather=1" in tab.address
    tab.find(".class-choice button", "cat").click()
    tab.find("h3", "Why cat?")
    tab.ready("image")
    assert values_of(tab) == pytest.approx(cat, abs=0.006)
    assert tab.drawn(".tracks canvas")
    tab.open("part_images", f"{FOX}&p.part_images.class=7")
    assert "is not stored for this image" in tab.find(".missing-class").text


@pytest.mark.parametrize("width", [1280, 1000, 400])
@pytest.mark.parametrize("plugin", ["parts:classes", "parts:filters", "part_images:"])
def test_nothing_is_cut_off(tab, width, plugin):
    plugin, view = plugin.split(":")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    tab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        tab.open(plugin, f"&p.{plugin}.run=zebra&p.{plugin}.view={view}")
        tab.find("[data-ready=image], [data-ready=grid], [data-ready=classes]")
        beyond = tab.script(
            "return [...document.querySelectorAll('main *')].filter((one) =>"
            " one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.className)"
        )
        assert beyond == []
        assert tab.script("return document.documentElement.scrollWidth <= innerWidth")
        sizes = "clientHeight, scrollHeight, scrollWidth, clientWidth"
        height, needed, wide, room = tab.script(
            f"const {{{sizes}}} = document.querySelector('.toolbar'); return [{sizes}]"
        )
        assert height == needed <= 48, "one row"
        assert wide <= room
        cut = tab.script(
            "return [...document.querySelectorAll('.part-card, .class-card')].filter((one) =>"
            " one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth).length"
        )
        assert cut == 0
    finally:
        tab.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
