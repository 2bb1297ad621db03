import h5py
import numpy as np
import pytest
import scipy.io

from tests.datasets.matlab_files import save_v73
from tf_explainer.datasets import matlab
from tf_explainer.errors import UserError

ELEMENTS = [
    {"centre": [52.5, 190.0], "name": "fox", "parts": [{"x": 1.0}, {"x": 2.0}], "cells": ["ab", 3.0]},
    {"centre": [], "name": "", "parts": [{"x": 4.0}, {"x": 5.0}], "cells": ["c", 6.0]},
]


def _save_v5(path, elements):
    array = np.zeros((1, len(elements)), [(name, object) for name in elements[0]])
    for index, element in enumerate(elements):
        parts = np.zeros((1, len(element["parts"])), [("x", object)])
        for part, values in enumerate(element["parts"]):
            parts[0, part]["x"] = values["x"]
        cells = np.empty((1, 2), object)
        cells[0, :] = element["cells"]
        array[0, index]["centre"] = np.array(element["centre"]).reshape(1, -1)
        array[0, index]["name"] = element["name"]
        array[0, index]["parts"] = parts
        array[0, index]["cells"] = cells
    scipy.io.savemat(path, {"truth": array})


def _save_v73(path, elements):
    save_v73(path, "truth", elements)


@pytest.fixture(params=[_save_v5, _save_v73], ids=["v5", "v7.3"])
def truth_file(request, tmp_path):
    path = str(tmp_path / "truth.mat")
    request.param(path, ELEMENTS)
    return path


def test_both_versions_give_the_same_values(truth_file):
    first, second = matlab.read_struct(truth_file, "truth", ["centre", "name", "parts", "cells"])
    np.testing.assert_array_equal(first["centre"], [52.5, 190.0])
    assert second["centre"].size == 0
    assert (first["name"], second["name"]) == ("fox", "")
    assert first["parts"] == [{"x": 1.0}, {"x": 2.0}]
    assert second["parts"] == [{"x": 4.0}, {"x": 5.0}]
    assert first["cells"] == ["ab", 3.0]
    assert second["cells"] == ["c", 6.0]


def test_only_the_fields_asked_for(truth_file):
    assert matlab.read_struct(truth_file, "truth", ["name"]) == [{"name": "fox"}, {"name": ""}]


def test_missing_variable_and_field_are_named(truth_file):
    with pytest.raises(UserError, match=r"truth\.mat.*'samples'.*truth"):
        matlab.read_struct(truth_file, "samples", ["obj"])
    with pytest.raises(UserError, match=r"truth\.mat.*truth.*'center'.*centre"):
        matlab.read_struct(truth_file, "truth", ["center"])


@pytest.mark.parametrize("content", [b"", b"no such format" * 50, b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "other.mat"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.mat"):
        matlab.read_struct(str(path), "truth", ["obj"])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_refused_by_name(truth_file, share):
    with open(truth_file, "rb") as file:
        content = file.read()
    with open(truth_file, "wb") as file:
        file.write(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"truth\.mat"):
        matlab.read_struct(truth_file, "truth", ["centre", "name", "parts", "cells"])


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="missing"):
        matlab.read_struct(str(tmp_path / "absent.mat"), "truth", ["obj"])


def test_variable_of_another_kind(tmp_path):
    scipy.io.savemat(tmp_path / "old.mat", {"truth": np.eye(3)})
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file["truth"] = np.eye(3)
    for name in ("old.mat", "new.mat"):
        with pytest.raises(UserError, match=rf"{name}: truth is not a struct array"):
            matlab.read_struct(str(tmp_path / name), "truth", ["obj"])


def test_real_files_of_both_versions(shared_datasets):
    folder = next(shared_datasets.glob("interpretableCNN/code/data_input/*/n02121808"))
    head = matlab.read_struct(str(folder / "truth_part01.mat"), "truth", ["pHW_center"])  # v5
    legs = matlab.read_struct(str(folder / "truth_part02.mat"), "truth", ["pHW_center"])  # v7.3
    assert len(head) == len(legs) == 529
    np.testing.assert_array_equal(head[0]["pHW_center"], [74.0, 147.5])
    np.testing.assert_array_equal(legs[0]["pHW_center"], [196.0, 166.0])
    assert sum(truth["pHW_center"].size == 0 for truth in legs) == 399


def test_real_nested_annotations_of_version_5(shared_datasets):
    path = shared_datasets / "pascal_part_examples" / "2010_005243.mat"
    (annotation,) = matlab.read_struct(str(path), "anno", ["objects"])
    horse = annotation["objects"]
    horse = horse if isinstance(horse, dict) else next(each for each in horse if each["class"] == "horse")
    assert horse["class"] == "horse"
    assert horse["mask"].ndim == 2
    assert "head" in {part["part_name"] for part in horse["parts"]}
