import numpy as np
import pytest

from tf_explainer.config import DatasetConfig
from tf_explainer.datasets.labelled_crops import check_classes, is_held_out, read_crops
from tf_explainer.errors import UserError
from tf_explainer.images.folds import fold_of, fold_position
from tf_explainer.images.record import Box, ImageRecord, ImageReference, UnreadableImageError

CONFIG = DatasetConfig(dataset="folder", folds=3, held_out_fold=1)


class Source:
    classes = ("dark", "light")
    negative_class = None
    all_classes = classes
    landmark_names = ()

    def __init__(self, references, broken=()):
        self._references, self._broken = references, broken

    def references(self):
        return iter(self._references)

    def read(self, references):
        for reference in references:
            if reference.id in self._broken:
                yield reference, UnreadableImageError("it is torn")
            else:
                image = np.full((20, 30, 3), 40 + 100 * reference.label, np.uint8)
                yield reference, ImageRecord(reference=reference, image=image)


def reference(number, box=None):
    return ImageReference(id=f"image-{number}", label=number % 2, location="", box=box)


def test_crops_keep_labels_and_folds():
    references = [reference(number) for number in range(12)]
    crops = list(read_crops(Source(references), references, 16, CONFIG))
    assert [crop.label for crop in crops] == [0, 1] * 6
    assert all(crop.image.shape == (16, 16, 3) and crop.image.dtype == np.uint8 for crop in crops)
    assert [crop.image.max() for crop in crops[:2]] == [40, 140]
    expected = [fold_of(fold_position(r.id), 3) == 1 for r in references]
    assert [crop.held_out for crop in crops] == expected == [is_held_out(r, CONFIG) for r in references]
    assert 0 < sum(expected) < 12


def test_unreadable_images_are_logged_by_id_and_left_out(caplog):
    outside = Box(xmin=100, ymin=100, xmax=120, ymax=120)
    references = [reference(0), reference(1), reference(2, outside), reference(3)]
    crops = list(read_crops(Source(references, broken={"image-1"}), references, 16, CONFIG))
    assert [crop.label for crop in crops] == [0, 1]
    assert "image-1 is left out: it is torn" in caplog.text
    assert "image-2 is left out: its object box" in caplog.text


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 0], ("fox",), "--dataset=folder has only the class fox"),
        ([], ("fox", "cat"), "no image to train on outside --held_out_fold=1 of --folds=3"),
        ([0, 2, 2], ("fox", "cat", "cow"), "no image to train on of cat"),
    ],
)
def test_what_is_no_task(labels, classes, message):
    with pytest.raises(UserError, match=message):
        check_classes(np.array(labels, np.int64), classes, CONFIG)


def test_a_task():
    check_classes(np.array([0, 1, 0]), ("fox", "cat"), CONFIG)
