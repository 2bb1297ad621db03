"""The first screen of the Parts tab in a real browser: what classes consist of, and the ways from there."""

import numpy as np
import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By

from benchmarks import browser_tab
from benchmarks.browser_tab import Tab, browser, wait_for
from benchmarks.plugin_server import serving
from tests.plugins.snapshot_example import IMAGES, some_scores, some_snapshot, write_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser_tab.is_available(), reason="needs Debian's chromium and chromium-driver"),
]
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "zebra", steps=(2,))
    with serving(str(folder)) as server, browser(1280, 900) as driver:
        yield Tab(driver, server)


@pytest.fixture(autouse=True)
def nothing_is_complained_about(tab):
    yield
    assert tab.complaints() == []


def values_of(card, selector):
    return [
        float(one.text.replace(MINUS, "-"))
        for one in card.find_elements(By.CSS_SELECTOR, f"{selector} .value")
    ]


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
            assert float(
                row.find_element(By.CSS_SELECTOR, ".value").text.replace(MINUS, "-")
            ) == pytest.approx(value, abs=0.006)
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


@pytest.mark.parametrize(
    ("name", "class_name", "expected"),
    [
        ("legs (cat, cow), cat 58 % of images against 45 % by chance; cow 60 % ...", "cow", "legs"),
        ("legs (cat, cow), cat 58 % of images against 45 % by chance", "deer", "part 4"),
        ("head (cat), legs (cow) 2, cat 58 % of images against 45 % by chance", "cat", "head 2"),
        ("head, 93 % of images against 31 % by chance", "cat", "head"),
        ("part 4, on nothing that is annotated", "deer", "part 4"),
        ("legs (cat), 58 % of images against 45 % by chance", "output 3", "legs (cat)"),
        ("image border 2", "deer", "image border 2"),
    ],
)
def test_a_part_is_never_called_by_another_class(tab, name, class_name, expected):
    tab.open("parts")
    tab.ready("classes")
    found = tab.driver.execute_async_script(
        """const [name, ofClass, done] = arguments;
        const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
        import(loaded.find((url) => url.includes("figures.js"))).then(({ nameInClass }) =>
          done(nameInClass(name, 3, ofClass, ["cat", "cow", "deer"])));""",
        name,
        class_name,
    )
    assert found == expected
