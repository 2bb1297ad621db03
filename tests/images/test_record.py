import collections

import numpy as np
import pytest

from tf_explainer.images.crop import clipped_box, crop_to_object, crop_window, landmarks_in_crop
from tf_explainer.images.folds import fold_of, fold_position, hashed_shard
from tf_explainer.images.record import Box, ImageRecord, ImageReference, Landmark, UnreadableImageError


def _record(width=60, height=40, box=None, **landmarks):
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    return ImageRecord(
        reference=ImageReference(id="a", label=0, location="", box=box, landmarks=landmarks), image=image
    )


def test_fold_position_is_the_same_everywhere():
    # The first 24 bits of BLAKE2b-64, as GNU b2sum prints them.
    assert fold_position("n02118333/00001") == 0x9DF19E / 2**24
    assert fold_position("") == 0xE4A6A0 / 2**24


def test_fold_position_is_exact_in_float32():
    positions = [fold_position(f"{i}") for i in range(1000)]
    assert [float(np.float32(position)) for position in positions] == positions
    assert 0 <= min(positions) < max(positions) < 1


def test_folds_are_even_and_within_range():
    counts = collections.Counter(fold_of(fold_position(f"image/{i}"), 10) for i in range(5000))
    assert sorted(counts) == list(range(10))
    assert 420 < min(counts.values()) <= max(counts.values()) < 580


def test_shards_are_even_and_independent_of_folds():
    ids = [f"image/{i}" for i in range(8000)]
    pairs = collections.Counter((hashed_shard(i, 4), fold_of(fold_position(i), 4)) for i in ids)
    assert len(pairs) == 16
    # 16 cells of 500 expected: chi-square with 15 degrees of freedom stays below 38 in 99.9 % of cases.
    assert sum((count - 500) ** 2 / 500 for count in pairs.values()) < 38


def test_shard_of_an_id_is_fixed():
    assert [hashed_shard(f"n02118333/{i:05d}", 16) for i in range(1, 6)] == [7, 1, 0, 14, 8]
    assert hashed_shard("anything", 1) == 0


def test_crop_without_box_is_the_whole_image():
    record = _record(width=64, height=64)
    np.testing.assert_array_equal(crop_to_object(record, 64), record.image)


def test_crop_is_the_box_rounded_outward():
    crop = crop_to_object(_record(box=Box(xmin=10.4, ymin=4.6, xmax=29.2, ymax=25.0)), 20)
    # x: 10 to 30, y: 4 to 25.
    np.testing.assert_array_equal(crop[0, :, 0], np.arange(10, 30))
    assert (crop[0, 0, 1], crop[-1, 0, 1]) == (4, 24)


def test_crop_to_another_aspect_ratio_stretches_each_axis():
    crop = crop_to_object(_record(box=Box(xmin=0, ymin=0, xmax=60, ymax=30)), 30).astype(float)
    # Along x two pixels become one: the centre of pixel i lies at 2 i + 0.5 of the old indices.
    np.testing.assert_allclose(crop[5, 2:-2, 0], 2 * np.arange(2, 28) + 0.5, atol=0.51)
    np.testing.assert_allclose(crop[:, 3, 1], np.arange(30))


def test_box_is_clipped_to_the_image():
    clipped = clipped_box(_record(box=Box(xmin=-5, ymin=10.5, xmax=1000, ymax=39.1)))
    assert clipped == Box(xmin=0, ymin=10, xmax=60, ymax=40)


@pytest.mark.parametrize(
    "box",
    [
        Box(xmin=60, ymin=0, xmax=80, ymax=20),
        Box(xmin=-9, ymin=0, xmax=0, ymax=20),
        Box(xmin=5, ymin=5, xmax=5, ymax=9),
        Box(xmin=9, ymin=5, xmax=5, ymax=9),
    ],
)
def test_box_outside_the_image_is_a_reason(box):
    with pytest.raises(UnreadableImageError, match=r"xmin=.*60x40"):
        crop_to_object(_record(box=box), 8)


@pytest.mark.parametrize(("xmin", "ymin"), [(10, 5), (-7, -3), (45, 25), (-7, 25), (59, 39)])
def test_a_window_beyond_the_image_repeats_its_edge(xmin, ymin):
    image = _record().image
    window = Box(xmin=xmin, ymin=ymin, xmax=xmin + 20, ymax=ymin + 20)
    rows, columns = np.clip(np.arange(ymin, ymin + 20), 0, 39), np.clip(np.arange(xmin, xmin + 20), 0, 59)
    np.testing.assert_array_equal(crop_window(image, window, 20), image[rows][:, columns])


def test_landmarks_follow_the_crop():
    record = _record(box=Box(xmin=10, ymin=20, xmax=30, ymax=40), eye=Landmark(x=20, y=25, width=5, height=2))
    rows = landmarks_in_crop(record, ["ear", "eye"])
    assert rows.dtype == np.float32
    assert np.isnan(rows[0]).all()
    np.testing.assert_allclose(rows[1], [0.25, 0.5, 0.1, 0.25])


def test_landmark_marks_the_same_pixel_before_and_after_cropping():
    record = _record(box=Box(xmin=7, ymin=3, xmax=47, ymax=35), spot=Landmark(x=22.5, y=14.5))
    record.image[:] = 0
    record.image[14, 22] = 255
    crop = crop_to_object(record, 128).astype(float).sum(axis=-1)
    y, x = np.average(np.indices(crop.shape).reshape(2, -1) + 0.5, axis=1, weights=crop.ravel()) / 128
    np.testing.assert_allclose(landmarks_in_crop(record, ["spot"])[0, :2], [y, x], atol=2e-3)
