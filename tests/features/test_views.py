import dataclasses

import numpy as np
import pytest

from tf_explainer.features import views
from tf_explainer.features.schema import VIEWS
from tf_explainer.images.crop import crop_to_object, landmarks_in_crop
from tf_explainer.images.record import Box, ImageRecord, ImageReference, Landmark, UnreadableImageError

SIZE = 96
BOX = Box(xmin=30, ymin=10, xmax=230, ymax=130)
SPOT = Landmark(x=120, y=65, width=30, height=22)


def record(image_id="a", box=BOX, spot=SPOT):
    """Dark noise with a bright spot where the landmark is."""
    image = np.random.default_rng(0).integers(0, 60, (160, 260, 3), np.uint8)
    top, left = int(spot.y - spot.height / 2), int(spot.x - spot.width / 2)
    image[top : top + int(spot.height), left : left + int(spot.width)] = 255
    reference = ImageReference(id=image_id, label=0, location="", box=box, landmarks={"spot": spot})
    return ImageRecord(reference=reference, image=image)


def see(view, seed=0, **of):
    return views.crop_view(record(**of), view, SIZE, ("spot", "tail"), seed)


def bright_centre(pixels):
    """Centre of the spot, y and x in units of the side."""
    rows, columns = np.nonzero(pixels.mean(-1) > 150)
    return (np.array([rows.mean(), columns.mean()]) + 0.5) / len(pixels)


@pytest.mark.parametrize("view", ["original", *VIEWS])
@pytest.mark.parametrize("seed", range(4))
def test_landmarks_follow_the_pixels(view, seed):
    crop = see(view, seed)
    assert (crop.pixels.shape, crop.pixels.dtype) == ((SIZE, SIZE, 3), np.uint8)
    np.testing.assert_allclose(crop.landmarks[0, :2], bright_centre(crop.pixels), atol=0.7 / SIZE)
    share = (crop.pixels.mean(-1) > 150).mean()
    np.testing.assert_allclose(crop.landmarks[0, 2] * crop.landmarks[0, 3], share, rtol=0.15)
    assert np.isnan(crop.landmarks[1]).all()


@pytest.mark.parametrize("view", ["original", *VIEWS])
def test_the_affine_map_leads_from_the_original_to_the_view(view):
    original, crop = see("original"), see(view)
    scale, offset = crop.affine[[0, 2]], crop.affine[[1, 3]]
    np.testing.assert_allclose(
        bright_centre(crop.pixels), scale * bright_centre(original.pixels) + offset, atol=1.4 / SIZE
    )
    np.testing.assert_allclose(crop.landmarks[0, :2], scale * original.landmarks[0, :2] + offset, rtol=1e-5)


def test_the_original_is_the_crop():
    crop, original = see("original"), record()
    np.testing.assert_array_equal(crop.pixels, crop_to_object(original, SIZE))
    np.testing.assert_array_equal(crop.landmarks, landmarks_in_crop(original, ("spot", "tail")))
    assert crop.affine.tolist() == [1, 0, 1, 0]
    assert crop.affine.dtype == crop.landmarks.dtype == np.float32


def test_a_flip_mirrors_every_pixel():
    np.testing.assert_array_equal(see("flip").pixels, see("original").pixels[:, ::-1])
    assert see("flip").affine.tolist() == [1, 0, -1, 1]


def test_shifts_are_moves_of_whole_pixels_in_all_directions():
    moves = np.array([see("shift", seed).affine for seed in range(200)])
    np.testing.assert_array_equal(moves[:, [0, 2]], 1)
    offsets = moves[:, [1, 3]]
    in_pixels = offsets * [120, 200]
    np.testing.assert_allclose(in_pixels, np.round(in_pixels), atol=1e-4)
    assert np.abs(offsets).max() <= 0.155
    assert (offsets.max(0) > 0.12).all()
    assert (offsets.min(0) < -0.12).all()
    assert np.abs(np.corrcoef(offsets.T)[0, 1]) < 0.2


def test_smaller_crops_lie_inside_everywhere():
    maps = np.array([see("crop", seed).affine for seed in range(200)], np.float64)
    scale, offset = maps[:, [0, 2]], maps[:, [1, 3]]
    corner, side = -offset / scale, 1 / scale  # The window in the original's coordinates.
    assert side.min() >= 0.69
    assert side.max() <= 0.91
    assert side.max() - side.min() > 0.15
    np.testing.assert_allclose(side[:, 0], side[:, 1], atol=0.01)
    assert corner.min() >= -1e-6
    assert (corner + side).max() <= 1 + 1e-6
    assert (corner.max(0) > 0.15).all()


def test_a_whole_image_is_shifted_beyond_its_edge():
    whole = Box(xmin=0, ymin=0, xmax=260, ymax=160)
    for seed in range(4):
        crop = views.crop_view(record(box=whole), "shift", 260, ("spot",), seed)
        np.testing.assert_allclose(crop.landmarks[0, :2], bright_centre(crop.pixels), atol=1 / 260)


def test_views_are_those_of_id_and_seed():
    for view in ("shift", "crop"):
        again, other, reseeded = see(view), see(view, image_id="b"), see(view, seed=1)
        np.testing.assert_array_equal(see(view).pixels, again.pixels)
        assert see(view).affine.tolist() == again.affine.tolist()
        assert see(view).affine.tolist() != other.affine.tolist()
        assert see(view).affine.tolist() != reseeded.affine.tolist()


def test_a_view_of_an_id_is_fixed():
    """Features that are stored remain those of the views that are computed now."""
    pixels = see("shift").affine[[1, 3]] * [120, 200]
    np.testing.assert_allclose(pixels, [-10, -14], atol=1e-4)


def test_a_tiny_object_has_all_views():
    for view in VIEWS:
        tiny = Box(xmin=5, ymin=5, xmax=6, ymax=6)
        crop = see(view, box=tiny)
        assert crop.pixels.shape == (SIZE, SIZE, 3)
        assert np.isfinite(crop.affine).all()


@pytest.mark.parametrize("view", VIEWS)
def test_a_box_outside_of_the_image_is_a_reason(view):
    outside = dataclasses.replace(BOX, xmin=300, xmax=310)
    with pytest.raises(UnreadableImageError, match="outside"):
        see(view, box=outside)


def test_the_id_of_a_record_names_the_view():
    reference = record().reference
    assert views.record_id(reference, "original") == "a"
    assert views.record_id(reference, "flip") == "a#flip"
