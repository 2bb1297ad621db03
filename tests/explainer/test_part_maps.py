"""Maps of parts, against a literal loop."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.evaluation_example import small_explainer
from tf_explainer.explainer.part_maps import PartMaps, part_map_model

GROUPS, MEAN_PEAKS = np.array([1, 0, -1, 1, 0]), np.array([1.0, 2.0, 3.0, 0.5, 4.0])


def random_maps(filters, images=3, side=6):
    random = np.random.default_rng(0).normal(size=(images, side, side, filters))
    return np.maximum(random, 0).astype("float32")


def by_hand(maps, groups, mean_peaks):
    """The formula of `PartMaps`, image by image, part by part."""
    found = np.zeros((*maps.shape[:3], groups.max() + 1))
    for b, image in enumerate(maps):
        in_peaks = np.zeros_like(image)
        for f, mean_peak in enumerate(mean_peaks):
            if mean_peak > 0:
                in_peaks[..., f] = image[..., f] / mean_peak
        more = [
            np.maximum(in_peaks[..., f] - np.delete(in_peaks, f, axis=-1).mean(axis=-1), 0)
            for f in range(len(groups))
        ]
        for k in range(groups.max() + 1):
            shown = [more[f] for f in np.flatnonzero(groups == k)]
            votes = [each / each.max() if each.max() else each for each in shown]
            found[b, ..., k] = np.mean(votes, axis=0) * np.mean([each.max() for each in shown])
    return found


def test_a_part_is_where_its_filters_respond_more_than_the_others_do():
    maps = random_maps(5)
    found = PartMaps(GROUPS, MEAN_PEAKS)(maps)
    expected = by_hand(maps, GROUPS, MEAN_PEAKS)
    assert 0 < (expected == 0).mean() < 1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_dead_filter_counts_as_silent():
    maps, mean_peaks = random_maps(5), np.where(np.arange(5) == 3, 0, MEAN_PEAKS)
    maps[..., 3] = 0
    found = PartMaps(GROUPS, mean_peaks)(maps)
    np.testing.assert_allclose(found, by_hand(maps, GROUPS, mean_peaks), rtol=1e-4, atol=1e-6)


def test_a_loud_filter_is_as_one_of_the_others():
    maps = random_maps(5)
    loud = maps * [1, 1000, 1, 1, 1]
    same = PartMaps(GROUPS, MEAN_PEAKS * [1, 1000, 1, 1, 1])(loud)
    np.testing.assert_allclose(same, PartMaps(GROUPS, MEAN_PEAKS)(maps), rtol=1e-4, atol=1e-6)


def test_an_image_on_which_all_respond_alike_shows_no_part():
    alike = np.repeat(random_maps(1), 4, axis=-1)
    found = PartMaps(np.array([0, 0, 1, 1]), np.ones(4))(alike)
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_half_precision_is_computed_in_float32():
    maps = (1e4 * random_maps(5)).astype("float16")
    found = PartMaps(GROUPS, MEAN_PEAKS)(maps)
    assert ops.dtype(found) == "float32"
    np.testing.assert_allclose(found, by_hand(maps.astype("float32"), GROUPS, MEAN_PEAKS), rtol=1e-3, atol=1)


def test_a_filter_without_others_is_its_own_part():
    maps = random_maps(1)
    np.testing.assert_allclose(PartMaps([0], [2.0])(maps), maps / 2, rtol=1e-6)


def test_no_parts_have_no_maps():
    assert PartMaps(np.full(3, -1), np.ones(3))(random_maps(3)).shape == (3, 6, 6, 0)
    with pytest.raises(ValueError, match="2 groups of filters for 3 mean peaks"):
        PartMaps(np.zeros(2, int), np.ones(3))


def test_it_is_saved_with_its_parts(tmp_path):
    features = keras.Input((6, 6, 5))
    keras.Model(features, PartMaps(GROUPS, MEAN_PEAKS)(features)).save(tmp_path / "parts.keras")
    loaded, maps = keras.saving.load_model(tmp_path / "parts.keras"), random_maps(5)
    np.testing.assert_allclose(loaded(maps), by_hand(maps, GROUPS, MEAN_PEAKS), rtol=1e-4, atol=1e-6)


def test_the_model_shows_the_layer_that_people_look_at():
    explainer = small_explainer()
    layer = explainer.get_layer("conv_interp_2")
    features = random_maps(explainer.input_shape[-1], side=explainer.input_shape[1])
    groups = np.arange(layer.filters) % 2
    layer.peak.value.assign(np.linspace(1, 2, layer.filters))
    maps = ops.convert_to_numpy(keras.Model(explainer.input, layer.output)(features))
    expected = by_hand(maps, groups, np.linspace(1, 2, layer.filters))
    np.testing.assert_allclose(part_map_model(explainer, groups)(features), expected, rtol=1e-4, atol=1e-6)
