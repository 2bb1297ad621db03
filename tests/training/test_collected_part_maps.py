"""Parts' maps on stored images, against the explainer's layer by hand."""

import keras
import numpy as np
import pytest

from tests.explainer.test_part_maps import by_hand
from tests.support.evaluation_example import features_of, small_explainer, stored_features, stored_images
from tf_explainer.training.collected_part_maps import collect_part_maps, mean_responses_elsewhere

GROUPS = np.array([0, 0, 1, 1, -1, -1])


@pytest.fixture(name="known", scope="module")
def _known(tmp_path_factory):
    features, stored = features_of(tmp_path_factory.mktemp("features"))
    explainer = small_explainer()
    layer = keras.Model(explainer.input, explainer.get_layer("conv_interp_2").output)
    maps = np.asarray(layer(np.stack([image["block"] for image in stored]).astype(np.float32)))
    none = np.array([image["label"] == 2 for image in stored])
    return features, explainer, by_hand(maps, GROUPS, explainer.get_layer("conv_interp_2").mean_peaks), none


def test_maps_are_of_the_categories(known):
    features, explainer, maps, none = known
    found = collect_part_maps(explainer, features, "all", GROUPS)
    np.testing.assert_allclose(found, maps[~none], atol=1e-5)


def test_what_responds_elsewhere_is_the_mean_over_images_of_no_category(known):
    features, explainer, maps, none = known
    found = mean_responses_elsewhere(explainer, features, "all", GROUPS)
    np.testing.assert_allclose(found, maps[none].mean(axis=(0, 1, 2)), rtol=1e-4)


def test_where_there_are_no_such_images_nothing_is_known(known, tmp_path):
    only = stored_features(tmp_path, [image for image in stored_images(6) if image["label"] != 2])
    explainer = known[1]
    assert np.isnan(mean_responses_elsewhere(explainer, only, "all", GROUPS)).all()
