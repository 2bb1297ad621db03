"""The Parts tab's search and CSV, run by Node on the module that the browser gets."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tests.source_imports import ROOT
from tf_explainer.evaluation.contact_sheet import part_colours

NODE = shutil.which("node")
FIGURES = ROOT / "tf_explainer" / "plugins" / "web" / "figures.js"
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


def evaluate(expression):
    script = f"import * as m from {json.dumps(FIGURES.as_uri())}; console.log(JSON.stringify({expression}))"
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
    ranks = evaluate(f"{json.dumps(names)}.map(m.partRank)")
    assert ranks == [3, 3, 2, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 20, 40])
def test_parts_have_the_colours_of_the_contact_sheet(count):
    drawn = evaluate(f"Array.from({{ length: {count} }}, (_, k) => m.partColour(k, {count}))")
    expected = part_colours(count)
    assert np.abs(np.subtract(drawn, expected)).max() <= 1, "but for ties in rounding"


@pytest.mark.parametrize("sign", ["-", "+", "=", "@", "\t", "\r"])
def test_no_cell_of_the_csv_file_is_a_formula(sign):
    cell = evaluate(f"m.csvText({json.dumps(sign + '1+cmd')})")
    assert cell.lstrip('"').startswith("'" + sign)


def test_cells_of_the_csv_file_are_quoted():
    assert evaluate("m.csvText('a,\"b\"\\n')") == '"a,""b""\n"'
    assert evaluate("m.csvText('fox')") == "fox"
