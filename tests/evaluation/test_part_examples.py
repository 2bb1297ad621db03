import numpy as np
import pytest

from tests.support.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.part_examples import performer_filters, read_examples, strongest_images

CONFIG = EvaluationConfig(split="train")


@pytest.fixture(name="measured", scope="module")
def _measured(tmp_path_factory):
    features, stored = features_of(tmp_path_factory.mktemp("features"), count=150)
    result = evaluate(small_explainer(), small_head(), features, CONFIG)
    by_id = {image["id"]: image for image in stored}
    return features, result, [by_id[image_id] for image_id in result.ids]


def test_categories_take_turns_each_from_its_strongest():
    peaks, labels = np.array([5.0, 9, 1, 7, 8, 0]), np.array([0, 0, 0, 1, 1, 2])
    assert strongest_images(peaks, labels, 10).tolist() == [1, 4, 0, 3, 2]
    assert strongest_images(peaks, labels, 3).tolist() == [1, 4, 0]


def test_silent_images_are_not_chosen():
    assert strongest_images(np.zeros(4), np.array([0, 0, 1, 1]), 3).tolist() == []


def test_crops_and_features_belong_to_the_images(measured):
    features, result, images = measured
    wanted = np.array([2, 3, 11, len(images) - 1])
    examples = read_examples(features, wanted, CONFIG, lambda *_: None)
    assert [examples.row(image) for image in (11, 2)] == [2, 0]
    for row, index in enumerate(wanted):
        np.testing.assert_array_equal(examples.performer[row], images[index]["block"].astype(np.float32))
        np.testing.assert_allclose(examples.crops[row].astype(int), images[index]["crop"], atol=4)
    assert result.ids[11] == images[11]["id"]


def test_the_performers_filters_are_those_that_point_best(measured):
    _, result, _ = measured
    best = [result.part_measures.landmarks[name].pck_performer.chosen for name in ("head", "frontal_legs")]
    assert performer_filters(result, 9) == list(dict.fromkeys([*best[0], *best[1]]))
    assert len(performer_filters(result, 1)) == 1
