import csv
import io

from tf_explainer.evaluation.run_table import run_table


def metrics(network, dataset, instability, share=0.9, **errors):
    layer = {"location_instability": instability, "tracking": {"median_ratio": 0.125}}
    return {
        "run": {"network": network, "dataset": dataset},
        "layers": {"performer": {"location_instability": 0.14}, "conv_interp_2": layer},
        "part_share": share,
        "fidelity": {"relative_error": errors, "agreement": 1.0, "explainer_accuracy": 0.75},
        "categories": ["fox"],
    }


RUNS = {
    "b": metrics("vgg16", "animal_part: fox", 0.0641234, fc1=0.25, fc2=0.5),
    "a": metrics("vgg16", "animal_part: cat", None, fc1=0.125),
    "c": metrics("alexnet", "animal_part: fox", 0.08, avg_pool=0.3),
}


def test_rows_go_by_network_and_data_set_and_figures_by_name():
    lines = run_table(RUNS).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:3] for row in cells[2:]] == [
        ["alexnet", "animal_part: fox", "c"],
        ["vgg16", "animal_part: cat", "a"],
        ["vgg16", "animal_part: fox", "b"],
    ]
    row = dict(zip(cells[0], cells[4], strict=True))
    assert (row["part share p"], row["error of fc2"], row["error of avg_pool"]) == ("0.900", "0.500", "-")
    assert (row["explainer's error"], row["instability"], row["R, median"]) == ("0.250", "0.064", "0.12")
    assert "part interpretability" not in row  # No run has it.
    assert set(cells[1]) == {"---"}


def test_csv_has_all_digits_and_nothing_for_what_a_run_lacks():
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(run_table(RUNS, "csv")))}
    assert rows["b"]["instability"] == "0.0641234"
    assert rows["a"]["instability"] == rows["c"]["error of fc1"] == ""


def test_runs_without_measures_are_named():
    lines = run_table(RUNS | {"runs/broken": None}).splitlines()
    assert [line for line in lines if "runs/broken (failed)" in line] == [lines[2]]
    assert "failed" in run_table({"runs/broken": None}, "csv")


def test_runs_of_earlier_versions_have_the_categories_for_a_data_set():
    old = {name: value for name, value in RUNS["b"].items() if name != "run"}
    assert run_table({"old": old}).splitlines()[2].startswith("| - | fox | old |")
