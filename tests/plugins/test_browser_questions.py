"""A script finds the answers to five questions from the first screen, and they are what was written."""

import re

import numpy as np
import pytest

pytest.importorskip("selenium")

from benchmarks.questions import MOST_CLICKS, QUESTIONS, answers
from tests.plugins.in_browser import IN_BROWSER, MINUS
from tests.plugins.snapshot_example import IMAGES, some_scores, some_snapshot, write_run

pytestmark = IN_BROWSER
MISTAKEN = (3, 5)
SCORES = some_scores(mistaken=MISTAKEN)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    write_run(folder / "zebra", steps=(2,), mistaken=MISTAKEN)
    return folder


@pytest.fixture(scope="module")
def found(tab):
    found = answers(tab)
    assert set(found) == set(QUESTIONS)
    assert all(answer.clicks <= MOST_CLICKS for answer in found.values())
    return [answer.text.replace(MINUS, "-") for answer in found.values()]


def terms(label):
    """The mean of each part, of the filters in none, and of what is no filter, over images of a class."""
    images = SCORES.ranked[0].classes == label
    attribution = SCORES.ranked[0].attribution
    filters = attribution.parts[images].mean(axis=0)
    (groups,) = [figure.values for figure in some_snapshot().layers[0].figures if figure.key == "group"]
    parts = [filters[groups == group].sum() for group in np.unique(groups[~np.isnan(groups)])]
    others = [getattr(attribution, name)[images].mean() for name in ("ordinary", "baseline", "gap")]
    return np.array(parts), np.array([filters[np.isnan(groups)].sum(), *others])


def test_which_part_speaks_most(found):
    assert found[0].startswith("fox")
    parts, _ = terms(0)
    assert f"{parts[np.abs(parts).argmax()]:+.2f}" in found[0]


def test_on_which_images_the_network_errs_and_what_misleads_it(found):
    assert f"{len(MISTAKEN)} of {IMAGES} images" in found[1]
    assert "Taken for fox, but it is cat" in found[1], "image 3 is a cat"
    fox, cat = (one.attribution for one in SCORES.ranked)
    image = MISTAKEN[0]
    (groups,) = [figure.values for figure in some_snapshot().layers[0].figures if figure.key == "group"]
    towards = fox.parts[image] - cat.parts[image]
    candidates = {
        "head": towards[groups == 0].sum(),
        **{f"#{f}": towards[f] for f in np.flatnonzero(np.isnan(groups))},
        "ordinary track": fox.ordinary[image] - cat.ordinary[image],
        "average image": fox.baseline[image] - cat.baseline[image],
        "gap": fox.gap[image] - cat.gap[image],
    }
    strongest = sorted(candidates, key=lambda name: -candidates[name])[:3]
    said = re.search(r"rather than cat: (.*)\.", found[1])[1].split(", ")
    assert said == [f"{name} {candidates[name]:+.2f}" for name in strongest]


def test_how_sure_a_part_is_one(found):
    assert "on the head of fox in 93 % of images (PCK@0.1), chance 31 %" in found[2]
    assert "lies 30 % of the side from its peak" in found[2], "1.5 units of a fifth"
    assert "5.2 times as much as anywhere (6 images)" in found[2]


def test_what_the_score_loses_without_the_part(found):
    score, without = (float(each) for each in re.findall(r"\n?([+-]\d+\.\d+)", found[3])[:2])
    lost = [SCORES.lost[n, 0, 0] for n in range(IMAGES)]
    assert min(abs(score - without - each) for each in lost) < 0.011
    assert "the network was run with this" in found[3]


def test_what_parts_do_not_explain(found):
    parts, rest = terms(0)
    share = np.abs(rest).sum() / (np.abs(rest).sum() + abs(parts.sum()))
    assert f"{round(100 * share)} % of this score" in found[4]
