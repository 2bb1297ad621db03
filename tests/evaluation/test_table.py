import json

import pytest

from tests.support.evaluation_example import features_of, small_explainer, small_head
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
    papers = next(block for block in table(metrics).split("\n\n") if block.startswith("40 images"))
    assert len({len(line) for line in papers.splitlines()}) == 1


def test_parts_lead(metrics):
    first, second, third, *_ = table(metrics).split("\n\n")
    assert first.startswith(f"{metrics['parts']['count']} parts: PCK@0.1")
    assert second.startswith("what the tracks carry")
    assert third.startswith("40 images")


def test_parts_are_measured_against_landmarks(metrics):
    shown = json.loads(json.dumps(metrics))
    shown["parts"] |= {
        "count": 7,
        "nmi": 0.37,
        "ari": 0.178,
        "nmi_fixed_grid": 0.276,
        "ari_fixed_grid": 0.113,
        "own_instability": 0.0731,
        "own_instability_fixed_centre": 0.061,
    }
    shown["parts"]["landmarks"] = {
        "head": {
            "pck": 0.81,
            "pck_part": ["forehead 2"],
            "pck_fixed_point": 0.33,
            "pck_performer": 0.6,
            "ratio": 0.03,
            "ratio_part": ["forehead"],
        },
        "tail": dict.fromkeys(("pck", "pck_fixed_point", "pck_performer", "ratio"))
        | {"pck_part": [], "ratio_part": []},
    }
    rows = _rows(table(shown))
    assert rows["7 parts: PCK@0.1, %"] == ["best part", "fixed point", "performer", "R"]
    assert rows["head"] == ["81.0", "forehead 2", "33.0", "60.0", "0.03", "forehead"]
    assert rows["tail"] == ["-"] * 4
    assert "NMI, ARI, %: 37.0, 17.8 (a fixed grid: 27.6, 11.3)" in table(shown)
    assert "instability, own landmark: 0.073 (the middle of the crop: 0.061)" in table(shown)


def test_what_each_track_carries(metrics):
    rows = _rows(table(metrics))
    tracks, both = metrics["tracks"], metrics["fidelity"]
    assert rows["relative error of fc1"] == [
        f"{each['relative_error']['fc1']:.3f}" for each in (both, tracks["parts_only"], tracks["rest_only"])
    ]
    assert f"outside the mask: {100 * tracks['outside_mask']:.1f} %" in table(metrics)


def test_evidence_is_shown_where_it_was_measured(metrics):
    assert "evidence" not in table(metrics)
    of_all = {"distance": 1.7, "concentration": 4.9, "pairs": 80}
    on_object = {"distance": 1.2, "concentration": 5.6, "pairs": 60}
    rows = _rows(table(metrics | {"evidence": {"conv_interp_2": of_all | {"on_object": on_object}}}))
    assert rows["conv_interp_2"] == ["1.7", "4.9", "80"]
    assert rows["its parts on the object"] == ["1.2", "5.6", "60"]
    assert "on the object" not in table(metrics | {"evidence": {"performer": of_all}})


def test_an_epoch_that_was_chosen_with_landmarks_is_marked(metrics):
    assert "chosen with landmarks" not in table(metrics)
    chosen = metrics | {
        "epoch_chosen_by": "validation/landmarks/missed",
        "epoch_chosen_with_landmarks": True,
    }
    assert "its epoch was chosen with landmarks, by validation/landmarks/missed" in table(chosen)


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
    empty["parts"]["landmarks"] = {}
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
    for term in (
        "PCK@0.1",
        "NMI, ARI",
        "outside the mask",
        "location instability",
        "tracking R",
        "independent parts",
        "dead, rare",
    ):
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
    other["parts"]["nmi"] = None
    other["layers"]["conv_interp_2"]["tracked_landmarks"] = {"tail": 0.5}
    rows = _rows(comparison({"a": metrics, "b": other}))
    assert rows["conv_interp_2"] == ["a", "b"]
    assert rows["PCK@0.1 head, %"][0] == rows["PCK@0.1 head, %"][1]
    assert rows["NMI"] == [f"{100 * metrics['parts']['nmi']:.1f}", "-"]
    assert rows["part share p"] == [f"{metrics['part_share']:.3f}", "0.750"]
    assert rows["follows tail, %"] == ["-", "50.0"]
    assert rows["follows head, %"][1] == "-"
