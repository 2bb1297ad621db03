"""Parts that were planted in features are found again, and filters are dealt out fairly."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tf_explainer.errors import UserError
from tf_explainer.explainer.part_prototypes import PartPrototypes
from tf_explainer.training.part_discovery import discover_parts

SIDE, PARTS, CHANNELS = 8, 4, 24


@pytest.fixture(scope="module")
def scene():
    """Images whose quarters show a part each, under a stronger colour of the whole image."""
    random = np.random.default_rng(0)
    signature = np.zeros((PARTS, CHANNELS))
    for k in range(PARTS):
        signature[k, 5 * k : 5 * k + 5] = random.uniform(1, 2, 5)
    quarter = np.arange(SIDE)[:, None] // 4 * 2 + np.arange(SIDE)[None] // 4
    images, truth = [], []
    for _ in range(30):
        part = random.permutation(PARTS)[quarter]
        colour = np.zeros(CHANNELS)
        colour[20 + random.integers(4)] = 6.0
        noise = random.normal(0, 0.1, (SIDE, SIDE, CHANNELS))
        images.append(np.maximum(signature[part] + colour + noise, 0))
        truth.append(part)
    return np.array(images, np.float32), np.array(truth)


@pytest.fixture(scope="module")
def found(scene):
    return discover_parts([scene[0][:16], scene[0][16:]], PARTS, 8)


def test_features_that_are_0_nearly_everywhere_are_refused(scene):
    features = np.zeros_like(scene[0])
    features[0, 0, :3] = 1
    with pytest.raises(UserError, match="--parts=4: the target layer responds at 3 places"):
        discover_parts([features], PARTS, 8)


def test_units_of_a_part_share_a_prototype_whatever_the_image(scene, found):
    features, truth = scene
    layer = PartPrototypes(PARTS, 8)
    layer.build((None, SIDE, SIDE, CHANNELS))
    layer.projection.assign(found[0])
    layer.prototypes.assign(found[1])
    nearest = np.asarray(layer(features)).argmax(-1)
    assert adjusted_rand_score(truth.ravel(), nearest.ravel()) > 0.95


def test_filters_join_the_part_that_activates_them(found):
    groups = found[2]
    for k in range(PARTS):
        assert len(set(groups[5 * k : 5 * k + 5])) == 1
    assert len({groups[5 * k] for k in range(PARTS)}) == PARTS


def test_no_part_takes_more_than_its_share(found):
    assert np.bincount(found[2], minlength=PARTS).tolist() == [CHANNELS // PARTS] * PARTS


def test_deviations_are_those_of_the_channels(scene, found):
    units = scene[0].reshape(-1, CHANNELS)
    np.testing.assert_allclose(found[3], units.std(axis=0), rtol=1e-4)


def test_the_same_seed_finds_the_same(scene, found):
    again = discover_parts([scene[0]], PARTS, 8)
    for ours, theirs in zip(again, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
