"""Both tabs on real runs, the demo's and VGG-16's on photographs: what is on screen is what was measured."""

import csv
import json

import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.browser_tab import wait_for
from benchmarks.child_process import ROOT
from tests.plugins.in_browser import IN_BROWSER, number_of

pytestmark = IN_BROWSER
WINDOW = (1600, 1000)
# Where `make demo`, `make results` and the README's five steps leave their runs.
RUNS = {
    "demo": ("runs/demo",),
    "birds": ("runs/results/birds/seed-0",),
    "animal": ("runs/vgg_fox", "runs/results/fox/seed-0", "runs/results/giant_panda/seed-0"),
}
MADE_BY = {
    "demo": "make demo",
    "birds": "make results",
    "animal": "make results, or the README's five steps with configs/vgg.flags",
}


@pytest.fixture(scope="module", params=list(RUNS))
def workdir(request):
    for place in RUNS[request.param]:
        if (ROOT / place / "metrics.json").exists() and (
            ROOT / place / "tensorboard" / "evaluation"
        ).exists():
            return ROOT / place
    return pytest.skip(f"there is no run to look at; {MADE_BY[request.param]} leaves one")


@pytest.fixture(scope="module")
def measured(workdir):
    return json.loads((workdir / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def logdir(workdir):
    return workdir / "tensorboard"


def values_of(tab):
    """What the waterfall goes through, the score at last."""
    found = tab.driver.find_elements(By.CSS_SELECTOR, ".waterfall .value")
    return [number_of(one) for one in found]


def table_of(tab, downloads):
    """The figures of the filters that are shown, as the CSV button saves them, in their order."""
    tab.find(".chooser button", "CSV").click()
    (path,) = wait_for(lambda: list(downloads.glob("*.csv")))
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    path.unlink()
    return rows


def shown(tab):
    return tab.script(
        "return [...document.querySelectorAll('.cell')].map((cell) => Number(cell.dataset.filter))"
    )


def test_the_grid_has_every_filter_with_the_measured_figures(tab, measured, downloads):
    tab.open("parts", "&p.parts.grouped=0")
    tab.ready("grid")
    assert tab.drawn(".row > canvas.picture")
    layer = measured["layers"]["conv_interp_2"]
    assert f"{layer['filters']} of {layer['filters']} filters" in tab.find("output.count").text
    assert f"{measured['part_share']:.3f}" in tab.find(".sidebar").text
    rows = table_of(tab, downloads)
    (column,) = [name for name in rows[0] if name.startswith("tracking R") and "held out" not in name]
    ratios = [float(row[column]) for row in rows if row[column]]
    assert ratios == sorted(ratios), "low R first"
    assert sum(ratio < 0.5 for ratio in ratios) / len(ratios) == pytest.approx(
        layer["tracking"]["share_below_half"], abs=2 / len(ratios)
    )
    assert int(rows[0]["filter"]) == shown(tab)[0]


def test_sort_range_search_flags_and_parts(tab, downloads):
    tab.open("parts", "&p.parts.grouped=0")
    tab.ready("grid")
    every = len(table_of(tab, downloads))
    tab.choose("sort", "peak")
    by_peak = wait_for(lambda: [int(row["filter"]) for row in table_of(tab, downloads)])
    assert sorted(by_peak) == list(range(every))
    tab.write("input[type=search]", f"{by_peak[3]}, {by_peak[5]}")
    wait_for(lambda: sorted(shown(tab)) == sorted([by_peak[3], by_peak[5]]))
    tab.write("input[type=search]", "duplicate")
    duplicates = wait_for(lambda: tab.find("output.count").text)
    tab.write("input[type=search]", "")
    tab.find("label.check", "duplicate").click()
    wait_for(lambda: tab.find("output.count").text == duplicates)
    tab.find("label.check", "duplicate").click()
    low = tab.find("details.range[open] input[aria-label$='at most']")
    low.send_keys("0.5", Keys.ENTER)
    wait_for(lambda: "p.parts.ranges=" in tab.address)
    assert int(tab.find("output.count").text.split(" of ")[0]) < every or "0.5" in tab.address
    tab.open("parts", "&p.parts.view=filters")
    tab.ready("grid")
    # The largest part, by its landmark or, in runs of before, by its number.
    assert tab.find(".part-card", "filters alike")
    assert tab.drawn(".part-card canvas.picture")


def test_a_filter_opened(tab, downloads):
    tab.open("parts", "&p.parts.grouped=0")
    tab.ready("grid")
    best = shown(tab)[0]
    tab.find(f".cell[data-filter='{best}']").click()
    tab.ready("panel")
    assert tab.drawn(".panel canvas.picture")
    text = tab.find(".panel").text
    for what in (
        "Closest filter of performer's",
        "Where it peaks",
        "How strongly it responds",
        "Across training",
    ):
        assert what in text
    figures = tab.find("table.figures").text
    assert "tracking R" in figures
    assert "instability" in figures
    for name in ("Random", "Weakest", "Strongest"):
        tab.find(".panel .tab", name).click()
        assert tab.drawn(".panel section:first-of-type canvas.picture")
    tab.script(
        "document.querySelector('.density .bin').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert "at this place" in tab.find(".panel .tab[aria-pressed=true]").text
    tab.find(".panel nav button", "PNG").click()
    (picture,) = wait_for(lambda: list(downloads.glob("*.png")))
    assert picture.stat().st_size > 10_000
    picture.unlink()


def test_what_training_left_has_steps_and_stands_beside_the_evaluation(tab):
    tab.open("parts", "&p.parts.run=training&p.parts.compare=evaluation&p.parts.grouped=0")
    tab.ready("grid")
    kept = tab.find(".steps output").text
    assert "kept" in kept
    tab.find(".cell").click()
    tab.ready("panel")
    assert wait_for(lambda: tab.count(".panel svg circle"))
    tab.open(
        "parts", "&p.parts.run=evaluation&p.parts.layer=performer&p.parts.compare=training&p.parts.grouped=0"
    )
    tab.ready("grid")
    assert "without this layer" in tab.find("output.note", "without this layer").text


def test_an_image_is_explained_and_leads_back(tab):
    tab.open("part_images", "&p.part_images.image=2")
    tab.ready("image")
    assert tab.drawn(".explained canvas.picture")
    *terms, score = values_of(tab)
    assert sum(terms) == pytest.approx(score, abs=0.01 * len(terms))
    assert tab.script("const e = document.querySelector('.explained'); return e.scrollWidth <= e.clientWidth")
    tab.find("button.tab", "By filter").click()
    tab.find(".step[data-step^=f] button.step-line").click()
    tab.find("button.link").click()
    tab.enter("parts")
    tab.ready("panel")
    tab.find(".panel .image").click()
    tab.ready("zoom")
    tab.find(".zoom nav button", "3:1").click()
    wait_for(lambda: "%2C3" in tab.address or ",3" in tab.address)
    tab.find(".zoom nav button", "explain image").click()
    tab.enter("part_images")
    tab.ready("image")


def test_another_class_is_explained(tab):
    tab.open("part_images", "&p.part_images.image=2")
    tab.ready("image")
    others = tab.driver.find_elements(By.CSS_SELECTOR, ".class-choice [aria-pressed=false]")
    if not others:
        pytest.skip("the run stores one class an image; tf_explainer.evaluate writes more")
    others[0].click()
    wait_for(lambda: "p.part_images.class=" in tab.address)
    tab.ready("image")
    *terms, score = values_of(tab)
    assert sum(terms) == pytest.approx(score, abs=0.01 * len(terms))
    assert score < 0, "not the class that the performer names"


def test_dark_colours_and_keys(tab):
    tab.open("parts", "&p.parts.grouped=0&p.parts.look=heat,0.4,0.6,filter,cividis", dark=True)
    tab.ready("grid").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
    tab.ready("panel")
    assert tab.script("return document.documentElement.dataset.theme") == "dark"
    assert "100 % of the filter's highest activation" in tab.find(".legend").text
    tab.press("?")
    assert "earlier and later step" in tab.ready("keys").text
