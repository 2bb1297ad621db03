import contextlib
import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_explainer.datasets import decode
from tf_explainer.images.record import ImageReference, UnreadableImageError


def _encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _gradient(width=40, height=30):
    y, x = np.mgrid[:height, :width]
    return np.stack([6 * x, 8 * y, 3 * (x + y)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("file_format", ["BMP", "PNG", "PPM", "TIFF", "WEBP"])
def test_lossless_formats_keep_every_pixel(file_format):
    pixels = _gradient()
    options = {"lossless": True} if file_format == "WEBP" else {}
    decoded = decode.decode(_encoded(Image.fromarray(pixels), file_format, **options))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_jpeg_is_close():
    pixels = _gradient()
    decoded = decode.decode(_encoded(Image.fromarray(pixels), "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - pixels).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBA"])
def test_every_mode_becomes_rgb(mode):
    image = Image.fromarray(_gradient()).convert(mode)
    file_format = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    decoded = decode.decode(_encoded(image, file_format))
    assert decoded.shape == (30, 40, 3)
    assert decoded.dtype == np.uint8
    if mode in ("1", "L", "LA"):
        np.testing.assert_array_equal(decoded[..., 0], decoded[..., 2])
    else:
        assert np.abs(decoded.astype(int) - _gradient()).mean() < 25


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_values_keep_their_upper_byte(file_format):
    wide = np.array([[0, 255, 256, 0x1234, 0xFFFF]], np.uint16)
    decoded = decode.decode(_encoded(Image.fromarray(wide), file_format))
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 0, 1, 0x12, 0xFF])


def test_the_transparent_value_of_16_bits_becomes_white():
    wide = np.array([[0x1234, 0x1235]], np.uint16)
    decoded = decode.decode(_encoded(Image.fromarray(wide), transparency=0x1234))
    np.testing.assert_array_equal(decoded[0, :, 0], [255, 0x12])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colours_keep_their_upper_byte(channels):
    wide = np.full((1, 1, channels), 65535, np.uint16)
    wide[..., :3] = [0x12FF, 0x8000, 0xFE01][:channels]
    wide[..., -1] = wide[..., -1] if channels == 3 else 65535
    decoded = decode.decode(tf.io.encode_png(wide).numpy())
    expected = [0x12] * 3 if channels == 2 else [0x12, 0x80, 0xFE]
    np.testing.assert_array_equal(decoded[0, 0], expected)


def test_inks_of_cmyk():
    inks = Image.new("CMYK", (4, 1))
    for place, ink in enumerate([(0, 255, 255, 0), (255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 51)]):
        inks.putpixel((place, 0), ink)
    expected = [[255, 0, 0], [0, 255, 255], [0, 0, 0], [204, 204, 204]]
    np.testing.assert_array_equal(decode.decode(_encoded(inks, "TIFF"))[0], expected)


def test_16_bit_portable_greymap():
    values = np.array([[0, 0x1234, 0xFFFF]], ">u2")
    decoded = decode.decode(b"P5 3 1 65535\n" + values.tobytes())
    np.testing.assert_array_equal(decoded[0, :, 1], [0, 0x12, 0xFF])


def test_transparent_pixels_become_white():
    image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))
    decoded = decode.decode(_encoded(image))
    np.testing.assert_array_equal(decoded[0], [[10, 20, 30], [255, 255, 255], [204, 204, 204]])


def test_transparent_palette_entry_becomes_white():
    image = Image.new("P", (2, 1), 1)
    image.putpalette([9, 9, 9, 50, 60, 70])
    image.putpixel((0, 0), 0)
    decoded = decode.decode(_encoded(image, transparency=0))
    np.testing.assert_array_equal(decoded[0], [[255, 255, 255], [50, 60, 70]])


def test_exif_orientation_is_applied_unless_pixels_are_wanted_as_stored():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by a quarter turn clockwise to see it upright
    stored = _encoded(Image.fromarray(_gradient(40, 30)), "PNG", exif=exif)
    np.testing.assert_array_equal(decode.decode(stored), np.rot90(_gradient(40, 30), -1))
    np.testing.assert_array_equal(decode.decode(stored, upright=False), _gradient(40, 30))


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF"])
def test_first_frame_of_an_animation(file_format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    stored = _encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decode.decode(stored)[4, 4], [255, 0, 0])


def test_file_objects_decode_as_bytes_do():
    stored = _encoded(Image.fromarray(_gradient()))
    np.testing.assert_array_equal(decode.decode(io.BytesIO(stored)), decode.decode(stored))


def _bomb(side):
    # A header that announces side x side pixels; the pixels themselves are never reached.
    return b"P5 %d %d 255\n" % (side, side) + b"\0" * 100


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"", "empty", "empty"),
        (b"no image at all, just words", "no_image", "none of BMP"),
        (_encoded(Image.effect_noise((90, 90), 50))[:2000], "damaged", "truncated"),
        (_encoded(Image.fromarray(_gradient(200, 200)), "JPEG")[:1000], "damaged", "truncated"),
        (_encoded(Image.fromarray(_gradient()), "JPEG")[:10], "damaged", "none of BMP|Truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no_image", "none of BMP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no_image", "none of BMP"),
        (_bomb(9_500), "too_large", "more than 89478485 pixels"),
        (_bomb(30_000), "too_large", "more than 89478485 pixels"),
    ],
)
def test_unusable_content_has_a_reason(content, kind, reason):
    with pytest.raises(UnreadableImageError, match=reason) as refused:
        decode.decode(content)
    assert refused.value.kind == kind


def test_floating_point_images_are_refused():
    stored = _encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(UnreadableImageError, match="floating-point"):
        decode.decode(stored)


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    """A few files of a megabyte each must not take gigabytes at once."""
    at_work, most = [], []

    def watched(image, upright):
        at_work.append(image)
        most.append(len(at_work))
        time.sleep(0.02)
        at_work.pop()
        return pixels(image, upright)

    pixels = decode._pixels
    monkeypatch.setattr(decode, "_pixels", watched)
    large, small = (_encoded(Image.new("L", size)) for size in ((4097, 4096), (64, 64)))
    with ThreadPoolExecutor(4) as threads:
        assert {array.shape for array in threads.map(decode.decode, [large] * 4)} == {(4096, 4097, 3)}
        assert max(most) == 1
        list(threads.map(decode.decode, [small] * 4))
    assert max(most) > 1


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damage_anywhere_gives_pixels_or_a_reason(file_format):
    rng = np.random.default_rng(0)
    whole = _encoded(Image.fromarray(_gradient()), file_format)
    for _ in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            damaged[place] = rng.integers(256)
        with contextlib.suppress(UnreadableImageError):
            assert decode.decode(bytes(damaged)).shape[2] == 3


def test_size_comes_from_the_header_alone(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(_encoded(Image.fromarray(_gradient(200, 100)), "JPEG")[:700])
    assert decode.size_in_pixels(str(path)) == (200, 100)
    with pytest.raises(UnreadableImageError, match="size"):
        decode.size_in_pixels(str(tmp_path / "absent.jpg"))


def test_reading_files_goes_on_after_an_unreadable_one(tmp_path):
    Image.fromarray(_gradient()).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")
    names = ["bad.png", "absent.png", "good.png"]
    references = [ImageReference(id=n, label=0, location=str(tmp_path / n)) for n in names]
    (bad, why), (absent, why_absent), (good, record) = decode.read_files(references)
    assert [bad, absent, good] == references
    assert "empty" in str(why)
    assert "absent.png: No such file" in str(why_absent)
    assert record.reference is good
    np.testing.assert_array_equal(record.image, _gradient())
