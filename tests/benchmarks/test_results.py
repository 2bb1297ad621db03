"""The tables of the documentation, and the commands that fill them."""

import json
import pathlib
import statistics

import pytest

from benchmarks import results, results_table


def run(pck, error, evidence=None):
    """What `metrics.json` of a run holds, as far as the table reads it."""
    head = {"pck": pck, "pck_part": ["a"], "pck_fixed_point": 0.25, "pck_performer": 0.5, "ratio": 0.1}
    layer = {"fixed_centre_instability": 0.06, "location_instability": 0.1, "independent_parts": 1.5}
    alone = {"relative_error": {"fc1": 0.4, "fc2": 0.4}, "agreement": 0.9}
    return {
        "parts": {
            "landmarks": {"head": head, "tail": head | {"pck_part": ["a", "b"], "ratio": None}},
            "nmi": 0.4,
            "ari": 0.2,
            "nmi_fixed_grid": 0.3,
            "ari_fixed_grid": 0.1,
            "independent_parts": 2.0,
        },
        "tracks": {"parts_only": alone, "rest_only": alone, "outside_mask": 0.3},
        "evidence": evidence,
        "layers": {"conv_interp_2": layer, "performer": layer},
        "part_share": 0.8,
        "fidelity": {"relative_error": {"fc1": error, "fc2": error}, "agreement": 1.0},
    }


def rows(text):
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    return {line[0]: [cell.strip() for cell in line[1:]] for line in lines}


def test_means_and_deviations_over_seeds():
    runs = [run(0.8, 0.1), run(0.9, 0.3)]
    found = rows(results_table.table(runs, ["head", "tail"], {}))
    spread = statistics.stdev([80, 90])
    assert found["PCK@0.1, %: head"][1] == f"85 ± {spread:.0f}"
    assert found["error of fc1, both tracks"][1] == "0.200 ± 0.141"
    assert found["PCK@0.1, %: head"][2] == "a fixed point: 25; performer: 50"
    assert found["R, best part: tail"][1] == "-"
    assert found["parts that are the best for a landmark"][1] == "2"
    assert found["evidence: units from the peak"][1] == "-"


@pytest.mark.parametrize(("aim", "bold"), [(0.25, True), (0.15, False)])
def test_an_error_reaches_its_aim_from_below(aim, bold):
    label = "error of fc1, both tracks"
    found = rows(results_table.table([run(0.8, 0.2)], ["head"], {label: aim}))
    assert found[label][:2] == [str(aim), "**0.200**" if bold else "0.200"]


@pytest.mark.parametrize(("aim", "bold"), [(80, True), (81, False)])
def test_a_share_reaches_its_aim_from_above(aim, bold):
    label = "PCK@0.1, %: head"
    found = rows(results_table.table([run(0.8, 0.2)], ["head"], {label: aim}))
    assert found[label][1] == ("**80**" if bold else "80")


def test_evidence_stands_beside_the_performers():
    evidence = {
        "conv_interp_2": {
            "distance": 1.0,
            "concentration": 5.5,
            "on_object": {"distance": 0.9, "concentration": 6.1},
        },
        "performer": {"distance": 1.1, "concentration": 5.0},
    }
    found = rows(results_table.table([run(0.8, 0.2, evidence)], ["head"], {}))
    assert found["evidence: at the peak over anywhere"] == ["", "5.5", "performer: 5.0"]
    assert found["evidence, parts on the object: at the peak over anywhere"][1] == "6.1"


def test_an_aim_without_a_row_is_refused():
    with pytest.raises(KeyError, match="hoof"):
        results_table.table([run(0.8, 0.2)], ["head"], {"PCK@0.1, %: hoof": 50})


def test_every_aim_of_a_study_has_a_row():
    for study in results.studies():
        example = run(0.8, 0.2)
        of_part = example["parts"]["landmarks"]["head"]
        example["parts"]["landmarks"] = dict.fromkeys(study.landmarks, of_part)
        assert "PCK" in results_table.table([example], study.landmarks, study.aims)


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch, capsys):
    """Commands that leave what they would leave; the second time none is run but those of the new seed."""
    monkeypatch.setattr(results, "ROOT", tmp_path)
    made, flags = [], {}

    def pretend(command, **_):
        module, arguments = command[2], command[3:]
        made.append(module)
        flags[module] = arguments
        *_, workdir = (each.removeprefix("--workdir=") for each in arguments if each.startswith("--workdir="))
        left = {
            "tf_explainer.train_performer": "performer.json",
            "pipelines.extract_features": "features/manifest.json",
            "tf_explainer.train": "explainer.keras",
            "tf_explainer.evaluate": "metrics.json",
        }
        path = pathlib.Path(workdir) / left[module]
        path.parent.mkdir(parents=True, exist_ok=True)
        example = run(0.8, 0.2)
        example["parts"]["landmarks"]["frontal_legs"] = example["parts"]["landmarks"]["head"]
        path.write_text(json.dumps(example))

    monkeypatch.setattr(results.subprocess, "run", pretend)
    chain = [
        "tf_explainer.train_performer",
        "pipelines.extract_features",
        "tf_explainer.train",
        "tf_explainer.evaluate",
    ]
    arguments = [f"--data_dir={tmp_path}", "--only=four_animals", "--backbone_weights={backbone}.h5"]
    results.main([*arguments, "--seeds=1"])
    assert made == chain
    assert "--backbone_weights=vgg16.h5" in flags["tf_explainer.train"]
    assert "--flagfile=configs/vgg_animals.flags" in flags["tf_explainer.train"]
    results.main([*arguments, "--seeds=2"])
    assert made[4:] == chain[2:]
    assert "--seed=1" in flags["tf_explainer.evaluate"]
    assert "### four_animals: 2 seeds" in capsys.readouterr().out


def test_birds_are_measured_on_images_that_nobody_learned_from(tmp_path):
    birds = next(study for study in results.studies() if study.has_test_split)
    steps = list(results._steps(birds, tmp_path / "birds", 0, tmp_path))
    assert [module.rpartition(".")[2] for module, _, _ in steps] == [
        "train_performer", "extract_features", "extract_features", "train", "evaluate"
    ]  # fmt: skip
    learned, tested = ([f for f in flags if f.startswith("--features_dir=")] for _, flags, _ in steps[3:])
    assert learned == [f"--features_dir={tmp_path}/birds/features"]
    assert tested == [f"--features_dir={tmp_path}/birds/test/features"]
    assert "--split=test" in steps[2][1]
    assert (tmp_path / "birds/tfds/downloads/manual/CUB_200_2011").is_symlink()
