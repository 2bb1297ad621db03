import collections
import hashlib
import pickle

import numpy as np
import pytest

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets import registry
from tf_explainer.datasets.creatures import source
from tf_explainer.errors import UserError
from tf_explainer.images.crop import clipped_box, landmarks_in_crop


def _open(*categories, **settings):
    return registry.open_source(DatasetConfig(dataset="creatures", categories=categories, **settings))


def test_pictures_are_the_same_everywhere():
    # Drawn with Pillow 11.2.1 and 12.3.0, NumPy 2.1.0 and 2.4.6.
    digest = hashlib.sha256()
    for index in range(10):
        image = source.draw(0, index)
        digest.update(repr(image.shape).encode() + image.tobytes())
    assert digest.hexdigest() == "76de2af6a49a1a6a98af8630ded39369b33ced1187d2d39d7efa792d15ff80e1"


def test_classes_take_turns():
    references = list(_open(num_images=13).references())
    assert [reference.label for reference in references] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2]
    assert references[12].id == "creatures-0/000012"
    assert len({reference.id for reference in references}) == 13


def test_classes_in_the_order_of_the_species_with_the_negatives_last():
    drawn = _open("lizard", "cat", num_images=9, negative_class="nothing")
    assert drawn.classes == ("cat", "lizard", "nothing")
    assert drawn.negative_class == "nothing"
    counts = collections.Counter(drawn.classes[reference.label] for reference in drawn.references())
    assert counts == {"lizard": 3, "cat": 3, "nothing": 3}


def test_without_negatives():
    drawn = _open(negatives=False, num_images=8)
    assert drawn.classes == ("cat", "cow", "deer", "lizard")
    assert drawn.negative_class is None
    assert all(reference.box for reference in drawn.references())


def test_an_id_is_the_same_picture_whatever_is_asked_for():
    everything = {reference.id: reference for reference in _open(num_images=25, dataset_seed=3).references()}
    for some in _open("cow", num_images=8, dataset_seed=3).references():
        same = everything[some.id]
        assert (some.location, some.box, some.landmarks) == (same.location, same.box, same.landmarks)


def test_seeds_give_other_pictures():
    first, second = source.draw(0, 0), source.draw(1, 0)
    assert first.shape != second.shape or (first != second).mean() > 0.5


def test_records_fit_their_references():
    drawn = _open(num_images=10)
    for reference, record in drawn.read(drawn.references()):
        assert record.reference is reference
        assert record.image.dtype == np.uint8
        height, width, _ = record.image.shape
        assert 130 < min(height, width) <= max(height, width) < 190
        assert (
            (reference.box is None)
            == (reference.landmarks == {})
            == (drawn.classes[reference.label] == "negative")
        )
        if reference.box:
            assert clipped_box(record).xmax <= width
            rows = landmarks_in_crop(record, drawn.landmark_names)
            assert (rows[:, :2] > 0).all()
            assert (rows[:, :2] < 1).all()


def test_unknown_species_is_named():
    with pytest.raises(UserError, match=r"'dear'.*deer"):
        _open("dear")


def test_pickled_source_draws_the_same():
    drawn = _open(num_images=5)
    copy = pickle.loads(pickle.dumps(drawn))
    assert list(copy.references()) == list(drawn.references())
