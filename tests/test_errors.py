import errno

import pytest

from tf_explainer import errors
from tf_explainer.errors import full_disk


def test_close_names_come_first():
    known = ["block4_conv3", "block5_conv3", "block5_pool", "fc1"]
    assert errors.nearest_names("block5_conv4", known).startswith("block5_conv3")


def test_all_names_are_listed_where_none_is_close():
    assert errors.nearest_names("xyz", ["fox", "cat"]) == "fox, cat"


def test_long_lists_are_cut():
    assert len(errors.nearest_names("qqqqqq", [f"class_{i}" for i in range(1000)]).split(", ")) == 20
    assert len(errors.nearest_names("class_1", [f"class_{i}" for i in range(1000)], count=3).split(", ")) == 3


def test_nothing_is_known():
    assert errors.nearest_names("fox", []) == ""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/a/performer.keras"),
        OSError("Unable to write (errno = 28, error message = 'No space left on device')"),
        ValueError("Save failed: RESOURCE_EXHAUSTED: runs/a; No space left on device"),
    ],
    ids=["system", "hdf5", "tensorflow"],
)
def test_a_full_disk_is_known_by_all_its_names(error):
    wrapped = RuntimeError("it failed")
    wrapped.__cause__ = error
    for each in (error, wrapped):
        assert "the disk is full" in full_disk(each)
    assert full_disk(OSError(errno.EACCES, "denied", "x")) is None
