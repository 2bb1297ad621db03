import numpy as np
import pytest

from tests.metrics.examples import GRID, annotations, peaks_and_regions
from tests.metrics.scenes import maps_at, riders
from tf_explainer.evaluation import parts
from tf_explainer.metrics.diversity import part_groups
from tf_explainer.metrics.layer_measures import measure_layer


def found_parts(units, landmarks, **known):
    known = annotations(landmarks, **known)
    layer = measure_layer(*peaks_and_regions(maps_at(units)), known, GRID, 100)
    return parts.name_parts(layer, known, part_groups(layer.peaks, GRID))


def twins():
    """Two of each filter: on the head, beside it, on the legs, at a fixed place, and dead ones."""
    units, landmarks = riders()
    return np.repeat(units, 2, axis=1), landmarks


def test_groups_take_the_name_of_the_landmark_they_follow():
    units, landmarks = twins()
    # One more filter on the head, and one by itself.
    alone = np.random.default_rng(5).integers(0, 6, (30, 1, 2))
    found = found_parts(np.concatenate([units, units[:, :1], alone], axis=1), landmarks)
    by_name = {part.name: part for part in found}
    assert found[0] == by_name["head"]
    assert by_name["head"].filters == (0, 1, 10)
    assert by_name["head 2"].filters == (2, 3)  # at an offset of its own
    assert by_name["legs"].filters == (4, 5)
    assert by_name["legs"].landmark == "legs"
    assert by_name["head"].found == pytest.approx(1.0)
    assert by_name["head"].title == "head, 1.00 of images"
    numbered = [part for part in found if part.landmark is None]
    assert [part.filters for part in numbered] == [(6, 7)]
    assert numbered[0].title.startswith("part ")
    assert not {8, 9, 11} & {f for part in found for f in part.filters}, "dead, or alone"


def test_how_often_a_part_is_where_the_landmark_lets_expect_it():
    units, landmarks = twins()
    units[0, :2] = (units[0, :2] + 2) % 6
    followed = next(part for part in found_parts(units, landmarks) if 0 in part.filters)
    assert followed.found == pytest.approx(29 / 30)


def test_several_categories_are_named():
    units, landmarks = twins()
    labels = np.arange(30) % 2
    names = [part.name for part in found_parts(units, landmarks, labels=labels, categories=("fox", "cat"))]
    assert any(name.startswith(("fox head", "cat head")) for name in names)


def test_without_landmarks_groups_are_numbered():
    units, landmarks = twins()
    found = found_parts(units, landmarks[:, :0])
    assert [part.name for part in found] == [f"part {number + 1}" for number in range(len(found))]
    assert {f for part in found for f in part.filters} == set(range(8))


def test_parts_come_back_from_json():
    found = found_parts(*twins())
    assert parts.from_json(parts.to_json(found, "abc"), "abc") == found
    for text in (
        "{}",
        '{"format_version": 0, "parts": []}',
        '{"format_version": 1, "parts": [{"x": 1}]}',
        "[",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - every one says something of its own
            parts.from_json(text, "abc")


def test_parts_of_another_explainer_are_refused():
    with pytest.raises(ValueError, match="of the explainer abc, not of the present def"):
        parts.from_json(parts.to_json([], "abc"), "def")
