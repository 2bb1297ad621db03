import json

import pytest

from tests.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.table import comparison, table


@pytest.fixture(name="metrics", scope="module")
def _metrics(tmp_path_factory):
    features, _ = features_of(tmp_path_factory.mktemp("features"))
    return evaluate(small_explainer(), small_head(), features, EvaluationConfig()).metrics()


def _rows(text: str) -> dict[str, list[str]]:
    """Cells by the words before the first gap; the legend, which comes last, gives way."""
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]
    return {row[0]: row[1:] for row in reversed(cells) if row}


def test_layers_stand_side_by_side(metrics):
    rows = _rows(table(metrics))
    assert rows["40 images of 2 categories"] == ["performer", "conv_interp_1", "conv_interp_2"]
    layers = metrics["layers"].values()
    assert rows["location instability"][:3] == [f"{layer['location_instability']:.3f}" for layer in layers]
    assert rows["of a fixed centre"][0] == f"{metrics['layers']['performer']['fixed_centre_instability']:.3f}"
    assert rows["dead filters, %"] == [f"{100 * layer['dead_filters']:.1f}" for layer in layers]


def test_columns_are_aligned(metrics):
    lines = table(metrics).splitlines()
    first = lines[: lines.index("")]
    assert len({len(line) for line in first}) == 1


def test_categories_have_a_row_each(metrics):
    rows = _rows(table(metrics))
    fish = metrics["layers"]["conv_interp_2"]["categories"]["fish"]
    assert rows["fish"][:2] == ["20", f"{100 * fish['share_of_filters']:.1f}"]
    assert "fox" in rows


def test_what_was_not_measured_is_a_dash(metrics):
    empty = json.loads(json.dumps(metrics))
    for layer in empty["layers"].values():
        layer["location_instability"] = None
        layer["tracking"]["best"] = None
    empty["fidelity"]["performer_accuracy"] = None
    rows = _rows(table(empty))
    assert rows["location instability"][:3] == ["-", "-", "-"]
    assert rows["best filter"] == ["-", "-", "-"]
    assert rows["performer's accuracy, %"] == ["-"]


def test_without_landmarks_there_is_no_table_of_dashes(metrics):
    empty = json.loads(json.dumps(metrics))
    for layer in empty["layers"].values():
        layer["tracked_landmarks"] = {}
        layer["location_instability"] = None
    text = table(empty)
    assert "have no landmarks" in text
    assert "location instability" not in text
    assert " by category" not in text
    assert _rows(text)["dead filters, %"] == ["0.0"] * 3
    assert "relative error" in text.splitlines()[-1]


def test_every_line_fits_a_terminal(metrics):
    assert max(map(len, table(metrics).splitlines())) <= 110


def test_terms_are_explained(metrics):
    legend = table(metrics).rpartition("\n\n")[2]
    for term in ("location instability", "tracking R", "independent parts", "dead, rare"):
        assert term in legend


def test_intervals_stand_beside_their_figures(tmp_path):
    features, _ = features_of(tmp_path)
    metrics = evaluate(small_explainer(), small_head(), features, EvaluationConfig(bootstrap=10)).metrics()
    low, high = metrics["intervals"]["layers"]["performer"]["location_instability"]
    cell = _rows(table(metrics))["location instability"][0]
    assert cell == f"{metrics['layers']['performer']['location_instability']:.3f} [{low:.3f}, {high:.3f}]"


def test_runs_stand_side_by_side(metrics):
    other = json.loads(json.dumps(metrics))
    other["part_share"] = 0.75
    other["layers"]["conv_interp_2"]["tracked_landmarks"] = {"tail": 0.5}
    rows = _rows(comparison({"a": metrics, "b": other}))
    assert rows["conv_interp_2"] == ["a", "b"]
    assert rows["part share p"] == [f"{metrics['part_share']:.3f}", "0.750"]
    assert rows["follows tail, %"] == ["-", "50.0"]
    assert rows["follows head, %"][1] == "-"
