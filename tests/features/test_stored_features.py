import numpy as np
import pytest

from tests.support.evaluation_example import CROP, features_of
from tf_explainer.images.folds import fold_of, fold_position


@pytest.fixture(name="stored", scope="module")
def _stored(tmp_path_factory):
    return features_of(tmp_path_factory.mktemp("features"), count=80)


def _ids(batches):
    return [image_id.decode() for batch in batches for image_id in batch["id"]]


def test_batches_hold_every_image_in_order(stored):
    features, images = stored
    batches = list(features.batches("all", negatives=True))
    assert _ids(batches) == [image["id"] for image in images]
    np.testing.assert_array_equal(
        np.concatenate([batch["block"] for batch in batches]), np.stack([image["block"] for image in images])
    )


def test_negatives_can_be_left_out(stored):
    features, images = stored
    expected = [image["id"] for image in images if image["label"] != 2]
    assert _ids(features.batches("all", negatives=False)) == expected


def test_held_out_images_are_those_of_the_fold(stored):
    features, images = stored
    expected = [image["id"] for image in images if fold_of(fold_position(image["id"]), 4) == 0]
    assert _ids(features.batches("held_out", negatives=True)) == expected


def test_crops_come_if_asked_for(stored):
    features, _ = stored
    batch = next(features.batches("all", negatives=True, with_crops=True))
    assert batch["crop"].shape[1:] == (CROP, CROP, 3)


def test_categories_are_the_classes_with_parts(stored):
    assert stored[0].categories == ("fox", "fish")


def test_units_look_where_the_manifest_says(stored):
    np.testing.assert_allclose(stored[0].grid.centres(np.array(6)), [12 / CROP, 12 / CROP])
