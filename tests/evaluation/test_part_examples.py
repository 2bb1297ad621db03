import keras
import numpy as np
import pytest

from tests.evaluation_example import features_of, small_explainer, small_head
from tf_explainer.config import EvaluationConfig
from tf_explainer.evaluation.evaluation import evaluate
from tf_explainer.evaluation.part_examples import collect, strongest_images


@pytest.fixture(name="shown", scope="module")
def _shown(tmp_path_factory):
    features, stored = features_of(tmp_path_factory.mktemp("features"), count=150)
    explainer, config = small_explainer(), EvaluationConfig(sheet_images=5, split="train")
    result = evaluate(explainer, small_head(), features, config)
    filters = {"performer": [4, 1], "conv_interp_2": [3]}
    examples = collect(result, explainer, features, filters, config, lambda *_: None)
    by_id = {image["id"]: image for image in stored}
    return result, [by_id[image_id] for image_id in result.ids], explainer, examples


def test_filters_come_in_the_order_asked_for(shown):
    examples = shown[3]
    assert [example.filter for example in examples["performer"]] == [4, 1]
    assert [example.filter for example in examples["conv_interp_2"]] == [3]


def test_images_are_the_strongest_of_the_filters_category(shown):
    result, images, _, examples = shown
    for example in examples["performer"]:
        f = example.filter
        category = result.layers["performer"].category[f]
        peaks = [
            (i, float(image["block"][..., f].max()))
            for i, image in enumerate(images)
            if image["label"] == category
        ]
        expected = sorted(peaks, key=lambda peak: -peak[1])[:5]
        assert example.images.tolist() == [i for i, _ in expected]


def test_maps_and_crops_belong_to_the_images(shown):
    _, images, explainer, examples = shown
    cut = keras.Model(explainer.input, explainer.get_layer("conv_interp_2").output)
    example = examples["conv_interp_2"][0]
    for row, index in enumerate(example.images):
        maps = keras.ops.convert_to_numpy(cut(images[index]["block"][None].astype(np.float32)))
        np.testing.assert_allclose(example.maps[row], maps[0, ..., 3], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(example.crops[row].astype(int), images[index]["crop"], atol=4)


def test_silent_images_are_not_shown(shown):
    result = shown[0]
    peaks = result.layers["performer"].peaks
    found = strongest_images(result, "performer", 0, 10_000)
    assert len(found) <= peaks.live[:, 0].sum()
    assert (peaks.values[found, 0] > 0).all()


def test_no_filters_need_no_images(shown):
    result, _, explainer, _ = shown
    assert collect(result, explainer, None, {"performer": []}, EvaluationConfig(), None) == {"performer": []}
