import pytest

from tf_explainer.datasets import categories
from tf_explainer.errors import UserError


def test_the_order_is_that_of_the_data_set():
    assert categories.chosen(["c", "a", "c"], ["a", "b", "c"], "here") == ("a", "c")


def test_all_take_part_when_none_is_named():
    assert categories.chosen([], ["b", "a"], "here") == ("b", "a")


def test_unknown_category_is_named_with_those_that_exist():
    with pytest.raises(UserError, match=r"'catt' in here.*cat"):
        categories.chosen(["dog", "catt"], ["cat", "dog"], "here")


def test_negative_class_comes_last():
    assert categories.with_negative(["none", "a", "b"], "none") == ("a", "b", "none")
    assert categories.with_negative(["a"], "none") == ("a", "none")
    assert categories.with_negative(["a", "b"], None) == ("a", "b")
