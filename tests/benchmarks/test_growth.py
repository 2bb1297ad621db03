import re
import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks import growth
from benchmarks.log_plot import Panel, drawing


def test_powers_are_those_of_the_steps():
    taken = [(1, {"line": 2.0, "square": 3.0}), (10, {"line": 20.0, "square": 300.0})]
    first, second = growth.exponents(taken)
    assert first == {"line": None, "square": None}
    assert second == pytest.approx({"line": 1, "square": 2})


def test_a_table_has_a_row_for_each_point():
    taken = list(growth.image_points(["1000=2.5", "10000=25"]))
    header, _, *rows = growth.table(growth.IMAGES, taken)
    assert "extraction, s of CPU" in header
    assert rows == ["| 1,000 | 2.5 |  |\n", "| 10,000 | 25.0 | n^1.00 |\n"]


def test_what_grows_as_the_square_climbs_twice_as_steeply():
    panel = Panel(title="growth", x=[1, 10, 100], series={"line": [1, 10, 100], "square": [1, 100, 10_000]})
    svg = drawing([panel])
    ElementTree.fromstring(svg)
    climbs = []
    for path in re.findall(r'd="M([^"]*L[^"]*)"', svg):
        places = [tuple(map(float, place.split())) for place in path.split("L")]
        assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.2)
        climbs.append(places[0][1] - places[-1][1])
    assert climbs[1] == pytest.approx(2 * climbs[0], abs=0.2)


@pytest.mark.slow
def test_a_step_of_categories_is_measured():
    taken = growth.measured(6, 8, 3)
    assert taken.keys() == {growth.STEP, growth.CONV, growth.PARTS}
    assert taken[growth.STEP] > taken[growth.CONV] > 0
