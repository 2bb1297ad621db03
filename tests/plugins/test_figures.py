"""What the tabs compute, run by Node on the modules that the browser gets."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests.support.source_imports import ROOT
from tf_explainer.evaluation.contact_sheet import part_colours

NODE = shutil.which("node")
WEB = ROOT / "tf_explainer" / "plugins" / "web"
LAYER = """{
  filters: 24,
  about: { group: { names: { 0: "torso 1", 1: "torso 2", 2: "legs, 58 % of images" } } },
  values: {
    group: Float32Array.from({ length: 24 }, (_, f) => f),
    live: Float32Array.from({ length: 24 }, (_, f) => (f === 5 ? 0 : 50)),
  },
  snapshot: { className: () => "" },
}"""

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node")


def evaluate(expression, module="shared/figures.js"):
    script = (
        f"import * as m from {json.dumps((WEB / module).as_uri())}; console.log(JSON.stringify({expression}))"
    )
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def found(query="", **options):
    given = {"sort": "index", "descending": False, "ranges": {}, "flags": [], "query": query} | options
    return evaluate(f"m.chosen({LAYER}, {json.dumps(given)})")


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("group 3", [2]),
        ("Group 3", [2]),
        ("group 20", [19]),
        ("part 4", [3]),
        ("part 2", []),
        ("torso 2", [1]),
        ("torso", [0, 1]),
        ("legs", [2]),
        ("#17", [17]),
        ("filter 17", [17]),
        ("17, 2", [2, 17]),
        ("1 2", [1, 2]),
        ("dead", [5]),
        ("nowhere", []),
    ],
)
def test_a_search_means_what_it_says(query, filters):
    assert found(query) == filters


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", ""])
def test_names_that_are_no_figures_or_flags_choose_nothing(name):
    everything = list(range(24))
    assert found(sort=name) == everything
    assert found(ranges={name: [0, 1]}) == everything
    assert found(flags=[name]) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("6", 6),
        ("7", None),
        ("1.5", None),
        ("-1", None),
        ("99999", None),
        ("", None),
        ("1e0", None),
    ],
)
def test_only_whole_numbers_in_range_are_taken_from_an_address(text, number):
    assert evaluate(f"m.wholeBelow(7, {json.dumps(text)}) ?? null") == number


def test_named_parts_come_first_and_what_is_none_of_the_object_last():
    names = [
        "image border",
        "beside the object 2",
        "part 3, on nothing that is annotated",
        "part 4",
        "legs, 58 % of images against 25 % by chance",
    ]
    ranks = evaluate(f"{json.dumps(names)}.map(m.partRank)", "shared/object_parts.js")
    assert ranks == [3, 3, 2, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 20, 40])
def test_parts_have_the_colours_of_the_contact_sheet(count):
    drawn = evaluate(
        f"Array.from({{ length: {count} }}, (_, k) => m.partColour(k, {count}))", "shared/object_parts.js"
    )
    expected = part_colours(count)
    assert np.abs(np.subtract(drawn, expected)).max() <= 1, "but for ties in rounding"


@pytest.mark.parametrize("sign", ["-", "+", "=", "@", "\t", "\r"])
def test_no_cell_of_the_csv_file_is_a_formula(sign):
    cell = evaluate(f"m.csvText({json.dumps(sign + '1+cmd')})")
    assert cell.lstrip('"').startswith("'" + sign)


def test_cells_of_the_csv_file_are_quoted():
    assert evaluate("m.csvText('a,\"b\"\\n')") == '"a,""b""\n"'
    assert evaluate("m.csvText('fox')") == "fox"


def test_a_waterfall_goes_from_the_first_value_to_the_sum():
    steps = [
        {"value": 2},
        {"value": -3},
        {"value": 0.5},
        {"value": -0.5, "sum": True},
        {"value": 1.5, "sum": True, "aside": True},
    ]
    placed = evaluate(
        f"m.placed({json.dumps(steps)}).map(({{ from, to }}) => [from, to])", "images/waterfall.js"
    )
    assert placed == [[0, 2], [2, -1], [-1, -0.5], [0, -0.5], [0, 1.5]]


@pytest.mark.parametrize(
    ("off", "score", "how"),
    [
        ([{"value": 1, "lost": 0.25}], 4.75, "Measured: the network was run"),
        ([{"value": 1, "lost": 0.25}, {"value": 2, "lost": 1}], 3.75, "separately for each"),
        ([{"value": 1}], 4, "was not run without"),
        ([{"value": 1}, {"value": 2, "lost": 1}], 2, "was not run without"),
    ],
)
def test_the_score_without_parts_is_the_measured_one_where_there_is_one(off, score, how):
    found = evaluate(f"m.without(5, {json.dumps(off)})", "images/explanation.js")
    assert found["score"] == score
    assert how in found["how"]


def test_the_strongest_images_are_of_different_classes_and_species_first():
    images = {"ids": ["a/1", "a/2", "b/3", "a/4", "c/5"], "labels": [0, 0, 0, 1, 1]}
    peaks = "Uint8Array.from([9, 8, 7, 6, 0])"
    assert evaluate(f"m.variedFirst({peaks}, {json.dumps(images)}, 4)", "parts/part_card.js") == [0, 2, 3, 1]


def test_a_class_where_a_part_is_faint_comes_after_all_that_show_it():
    images = {"ids": ["a/1", "a/2", "b/3", "a/4"], "labels": [0, 0, 1, 0]}
    peaks = "Uint8Array.from([9, 8, 4, 5])"
    assert evaluate(f"m.variedFirst({peaks}, {json.dumps(images)}, 4)", "parts/part_card.js") == [0, 1, 3, 2]


@pytest.mark.parametrize(
    ("parts", "rest", "share"),
    [
        ([["head", 3], ["image border 2", 1]], [1], 2 / 5),
        ([["head", 1], ["beside the object", 2]], [0], 2 / 3),
        ([["head", 3]], [2, -2], 4 / 7),
        ([["head", 3], ["part 2, on nothing that is annotated", -1]], [2], 1 / 2),
        ([["background", 5]], [], 1),
        ([], [], 0),
    ],
)
def test_what_is_no_part_of_the_object_is_not_explained(parts, rest, share):
    given = {"parts": [{"name": n, "value": v} for n, v in parts], "rest": [["", value] for value in rest]}
    found = evaluate(f"m.unexplainedShare({json.dumps(given)})", "shared/object_parts.js")
    assert found == pytest.approx(share)


@pytest.mark.parametrize(
    "places", [[[0.5, 0.5]] * 6, [[0, 0], [0, 0.05], [1, 1], [1, 1]], [[0.2, 0.2], [0.8, 0.8]]]
)
def test_marks_are_moved_apart_and_stay_on_the_picture(places):
    found = np.array(evaluate(f"m.spread({json.dumps(places)}, 0.1)", "shared/parts_map.js"))
    assert (found >= 0).all()
    assert (found <= 1).all()
    distances = np.abs(found[:, None] - found[None]).max(axis=-1)
    assert (distances[~np.eye(len(found), dtype=bool)] > 0.1 - 1e-6).all()
    assert found[0].tolist() == places[0]
