from tf_explainer import errors


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
