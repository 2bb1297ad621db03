import numpy as np
import pytest

from tests.metrics.examples import GRID, annotations
from tests.metrics.scenes import maps_at, riders
from tf_explainer.evaluation import parts
from tf_explainer.evaluation.parts import Part, names_in_category
from tf_explainer.explainer.part_maps import PartMaps
from tf_explainer.metrics.followed_landmarks import Followed, whereabouts
from tf_explainer.metrics.peaks import Peaks


def named(units, landmarks, groups, elsewhere=np.nan, **known):
    """Parts of filters that peak at given units, and respond `elsewhere` times as much without an object."""
    known, maps, groups = annotations(landmarks, **known), maps_at(units), np.array(groups)
    peaks = Peaks.of(maps)
    of_parts = np.asarray(PartMaps(groups, peaks.values.mean(axis=0))(maps))
    found = whereabouts(of_parts, known, GRID, elsewhere * of_parts.mean(axis=(0, 1, 2)))
    return parts.name_parts(groups, peaks, found, known.annotated_categories)


def twins():
    """Two of each filter: on the head, beside it, on the legs, at a fixed place, and dead ones."""
    units, landmarks = riders()
    return np.repeat(units, 2, axis=1), landmarks


GROUPS = [0, 1, 2, 2, 3, 3, 4, 4, -1, -1]


def test_parts_take_the_name_of_the_landmark_that_they_are_on():
    found = named(*twins(), GROUPS)
    assert [part.name for part in found] == ["head", "head 2", "part 3", "legs", "part 5"]
    assert [part.filters for part in found] == [(0,), (1,), (2, 3), (4, 5), (6, 7)]
    assert found[0].responds == 1
    chance = found[0].followed["fox"].chance
    assert found[0].title == f"head, 100 % of images against {100 * chance:.0f} % by chance"
    assert found[2].title == "part 3, on nothing that is annotated"


def test_members_are_in_the_order_of_how_often_they_respond():
    units, landmarks = twins()
    units[:3, 0] = -1
    part = named(units, landmarks, [0, 0, *[-1] * 8])[0]
    assert part.filters == (1, 0)
    assert part.responds == 1


def test_a_part_of_one_category_is_none_of_another():
    units, landmarks = riders()
    # On the heads of foxes; on fish, two units away.
    units = np.concatenate([units[:, :1], units[:, :1] + 2])
    known = {"labels": np.repeat([0, 1], 30), "categories": ("fox", "fish")}
    part = named(units, np.concatenate([landmarks, landmarks]), [0], **known)[0]
    assert part.name == "head (fox)"
    assert part.title.startswith("head (fox), fox 100 % of images against ")
    assert part.in_category("fox").name == "head (fox)"
    assert part.in_category("fox").title.startswith("head (fox), 100 % of images against ")
    assert part.in_category("fish").title == "part 1, on nothing that is annotated"
    assert part.in_category("tree") is part, "nothing is known of it"


def test_a_part_of_all_categories_bears_one_name():
    units, landmarks = riders()
    known = {"labels": np.arange(30) // 2 % 2, "categories": ("fox", "fish")}
    part = named(units[:, :1], landmarks, [0], **known)[0]
    assert part.name == "head"
    assert part.in_category("fish").name == "head"


def test_a_part_on_another_landmark_in_each_category_has_both_names():
    units, landmarks = riders()
    units = np.concatenate([units[:, :1], units[:, 2:3]])
    known = {"labels": np.repeat([0, 1], 30), "categories": ("fox", "fish")}
    part = named(units, np.concatenate([landmarks, landmarks]), [0], **known)[0]
    assert part.name == "head (fox), legs (fish)"


def test_many_categories_are_counted_and_the_most_frequent_landmark_comes_first():
    categories = tuple(f"species {number}" for number in range(6))
    units, landmarks = riders()
    # On the heads of the first species, on the legs of the others; on two of them, nowhere.
    units = np.concatenate([units[:, :1]] + 3 * [units[:, 2:3]] + 2 * [units[:, :1] + 2])
    known = {"labels": np.repeat(range(6), 30), "categories": categories}
    part = named(units, np.concatenate(6 * [landmarks]), [0], **known)[0]
    assert part.name == "legs (3 of 6), head (1 of 6)"
    chances = [round(100 * each.chance) for each in part.followed.values()]
    low, high = min(chances), max(chances)
    assert low < high
    assert part.title == f"{part.name}, 100 % of images against {low} to {high} % by chance"
    here = part.in_category("species 2")
    assert here.title == f"{part.name}, 100 % of images against {chances[1]} % by chance"


def test_where_else_parts_are_is_said():
    landmarks = np.tile(np.array([0.34, 0.5, 0.68, 1.0]), (20, 2, 1))
    units = np.tile(np.array([[4, 2], [5, 5], [1, 1]]), (20, 1, 1))
    found = named(units, landmarks, [0, 1, 2])
    assert [part.name for part in found] == [parts.BESIDE, parts.BORDER, "part 3"]


def test_what_responds_without_an_object_as_much_is_background():
    units = np.tile(np.array([[1, 1], [2, 2], [5, 5]]), (20, 1, 1))
    found = named(units, np.zeros((20, 0, 4)), [0, 1, 2], elsewhere=np.array([1.2, 0.9, 1.2]))
    assert [part.name for part in found] == [parts.BACKGROUND, "part 2", parts.BORDER]
    assert [parts.is_off_object(part.name) for part in found] == [True, False, True]


def test_what_is_on_a_landmark_is_no_background():
    units, landmarks = riders()
    (head,) = named(units[:, :1], landmarks, [0], elsewhere=1.5)
    assert head.name == "head"


def test_without_landmarks_parts_are_numbered():
    units, landmarks = twins()
    found = named(units, landmarks[:, :0], GROUPS)
    assert [part.title for part in found] == [f"part {number}" for number in range(1, 6)]


def test_parts_come_back_from_json():
    found = [*named(*twins(), GROUPS), parts.lone_filter(7)]
    assert parts.from_json(parts.to_json(found, "abc"), "abc") == found
    for text in (
        "{}",
        '{"format_version": 0, "parts": []}',
        '{"format_version": 3, "explainer": "abc", "parts": [{"x": 1}]}',
        '{"format_version": 3, "explainer": "abc", "parts": [7]}',
        "[",
        "[1]",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - every one says something of its own
            parts.from_json(text, "abc")


def test_parts_of_another_explainer_are_refused():
    with pytest.raises(ValueError, match="to the explainer abc, not to the current one, def"):
        parts.from_json(parts.to_json([], "abc"), "def")


def test_names_on_the_images_of_a_category_are_its_landmarks_and_unique():
    def part(number, name, **followed):
        found = {each: Followed(landmark=mark, found=0.6, chance=0.3) for each, mark in followed.items()}
        return Part(number=number, name=name, filters=(number,), followed=found, annotated=("cat", "cow"))

    found = [
        part(1, "legs (cat, cow)", cat="legs", cow="legs"),
        part(2, "head (cat), legs (cow)", cat="head", cow="legs"),
        part(3, "part 3"),
        part(4, "image border 2"),
    ]
    assert names_in_category(found, "cat") == ["legs", "head", "part 3", "image border 2"]
    assert names_in_category(found, "cow") == ["legs", "legs 2", "part 3", "image border 2"]
    assert names_in_category(found[1:2], "cat") == ["head"]
    assert names_in_category(found, "tree") == [part.name for part in found], "nothing is known of it"
    deer = [part(4, "legs (cat)", cat="legs")]
    assert names_in_category(deer, "cow") == ["part 4"]
