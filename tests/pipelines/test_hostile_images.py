"""A folder with every kind of file that real folders hold, through the real pipeline."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver
from PIL import Image, PngImagePlugin

from pipelines import extract_features
from tf_explainer.command_line import flags

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 30), (30, 30, 200), (255, 255, 255)
QUARTERS = np.array([RED, GREEN, BLUE, WHITE])
GREYS = np.repeat(QUARTERS @ [[0.299], [0.587], [0.114]], 3, axis=1)


def picture(height=48, width=64):
    """Four quarters: red and green above blue and white."""
    pixels = np.empty((height, width, 3), np.uint8)
    rows, columns = np.s_[: height // 2], np.s_[: width // 2]
    pixels[:], pixels[rows], pixels[:, columns], pixels[rows, columns] = WHITE, GREEN, BLUE, RED
    return pixels


def encoded(image, file_format="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def transparent_white():
    pixels = np.dstack([picture(), np.full((48, 64), 255, np.uint8)])
    pixels[24:, 32:] = 0, 0, 0, 0
    return pixels


def palette_with_transparency():
    image = Image.new("P", (64, 48), 0)
    image.putpalette([*RED, *GREEN, *BLUE, 0, 0, 0])
    image.putdata((np.indices((48, 64)) // [[[24]], [[32]]]).T.dot([2, 1]).T.ravel().tolist())
    return image


def rotated(orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(np.ascontiguousarray(turned(picture())), "JPEG", quality=95, exif=exif)


def animated(file_format, **options):
    still = Image.new("RGB", (64, 48))
    return encoded(picture(), file_format, save_all=True, append_images=[still, still], **options)


def sixteen_bit(channels):
    wide = np.dstack([picture(), np.full((48, 64), 255)]).astype(np.uint16) * 256 + 77
    wide[24:, 32:, 3] = 65535
    return tf.io.encode_png(wide[..., channels]).numpy()


GREY = Image.fromarray(picture()).convert("L")
# Name and content; what the quarters look like.
USABLE = {
    "jpeg.jpg": (encoded(picture(), "JPEG", quality=95), QUARTERS),
    "cmyk.jpg": (encoded(Image.fromarray(picture()).convert("CMYK"), "JPEG", quality=95), QUARTERS),
    "cmyk.tif": (encoded(Image.fromarray(picture()).convert("CMYK"), "TIFF"), QUARTERS),
    "16 bit grey.png": (encoded(np.asarray(GREY).astype(np.uint16) * 256 + 99), GREYS),
    "16 bit grey.tiff": (encoded(np.asarray(GREY).astype(np.uint16) * 256 + 99, "TIFF"), GREYS),
    "16 bit colour.png": (sixteen_bit([0, 1, 2]), QUARTERS),
    "16 bit alpha.png": (sixteen_bit([0, 1, 2, 3]), QUARTERS),
    "grey.jpg": (encoded(GREY, "JPEG", quality=95), GREYS),
    "palette.gif": (encoded(picture(), "GIF"), QUARTERS),
    "palette and transparency.png": (encoded(palette_with_transparency(), transparency=3), QUARTERS),
    "alpha.png": (encoded(transparent_white()), QUARTERS),
    "alpha.webp": (encoded(transparent_white(), "WEBP", lossless=True), QUARTERS),
    "alpha.tif": (encoded(transparent_white(), "TIFF"), QUARTERS),
    "animated.gif": (animated("GIF"), QUARTERS),
    "animated.webp": (animated("WEBP", lossless=True), QUARTERS),
    "animated.png": (animated("PNG"), QUARTERS),
    "pages.tif": (animated("TIFF"), QUARTERS),
    "1x1.bmp": (encoded(np.full((1, 1, 3), GREEN, np.uint8), "BMP"), np.array([GREEN] * 4)),
    "1 row.png": (encoded(picture()[:1]), QUARTERS[[0, 1, 0, 1]]),
    "turned.jpg": (rotated(6, lambda pixels: np.rot90(pixels)), QUARTERS),
    "upside down.jpg": (rotated(3, lambda pixels: pixels[::-1, ::-1]), QUARTERS),
    "mirrored.jpg": (rotated(2, lambda pixels: pixels[:, ::-1]), QUARTERS),
    "really a png.jpg": (encoded(picture()), QUARTERS),
    "really a jpeg.gif": (encoded(picture(), "JPEG", quality=95), QUARTERS),
    "album.png/inside.png": (encoded(picture()), QUARTERS),
    "CAPITALS \u00fc \u718a.PNG": (encoded(picture()), QUARTERS),
}


def png_of(width, height):
    """A PNG file whose head announces what is not there."""
    chunks = (
        b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"IDAT" + zlib.compress(bytes(99)),
    )
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def inflating_text():
    """A PNG file of a few kilobytes, the text of which is 64 MB."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "a" * (1 << 26), zip=True)
    return encoded(picture(), pnginfo=texts)


NOISE = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
# Name and content; what kind of dead letter it is.
UNUSABLE = {
    "empty.jpg": (b"", "empty"),
    "truncated.png": (encoded(NOISE)[:9000], "damaged"),
    "truncated.jpg": (encoded(NOISE, "JPEG")[:2000], "damaged"),
    "truncated.webp": (encoded(NOISE, "WEBP", lossless=True)[:9000], "damaged"),
    "words.jpg": (b"<html>404 Not Found</html>", "no_image"),
    "zeros.png": (bytes(4096), "no_image"),
    "vector.gif": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no_image"),
    "bomb.ppm": (b"P6 40000 40000 255\n" + bytes(99), "too_large"),
    "bomb.png": (png_of(65_000, 65_000), "too_large"),
    "wide.png": (png_of(2_000_000_000, 1), "too_large"),
    "text bomb.png": (inflating_text(), "damaged"),
    "float.tif": (encoded(np.ones((4, 4), np.float32), "TIFF"), "floating_point"),
}


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name, (content, _) in (USABLE | UNUSABLE).items():
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / name).write_bytes(content)
    (folder / "photos" / "a directory.jpg").mkdir()
    (folder / "photos" / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    return folder


@pytest.fixture(name="features", scope="module")
def _features(folder, performer, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    arguments = [
        *("program", f"--workdir={workdir}", "--dataset=folder", f"--data_dir={folder}", "--num_shards=4"),
        *(f"--performer={performer.config.performer}", "--image_size=32", "--target_layer=conv"),
        *("--jpeg_quality=100", "--max_dead_letters=0.5"),
    ]
    with flagsaver.flagsaver():
        extract_features.main(flags.FLAGS(arguments, known_only=True)[1:])
    return workdir / "features"


def test_the_books_balance(features):
    manifest = json.loads((features / "manifest.json").read_text())
    counts = manifest["inputs"], manifest["outputs"], manifest["dead_letters"]
    assert counts == (len(USABLE) + len(UNUSABLE) + 1, len(USABLE), len(UNUSABLE) + 1)


def test_what_cannot_be_used_is_named_with_its_reason(features, folder):
    letters = [json.loads(line) for line in (features / "dead_letters.jsonl").read_text().splitlines()]
    kinds = {name: kind for name, (_, kind) in UNUSABLE.items()} | {"nowhere.jpg": "no_file"}
    assert {letter["id"]: letter["kind"] for letter in letters} == {
        f"photos/{name}": kind for name, kind in kinds.items()
    }
    for letter in letters:
        assert letter["location"] == str(folder / letter["id"])
        assert letter["reason"]


@pytest.fixture(name="crops", scope="module")
def _crops(features):
    crops = {}
    for record in tf.data.TFRecordDataset(sorted(map(str, features.glob("*.tfrecord")))).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        name = feature["id"].bytes_list.value[0].decode().removeprefix("photos/")
        crops[name] = np.asarray(Image.open(io.BytesIO(feature["crop"].bytes_list.value[0]))).astype(int)
    return crops


def test_everything_else_is_stored(crops):
    assert crops.keys() == USABLE.keys()


@pytest.mark.parametrize("name", USABLE)
def test_the_performer_sees_what_a_person_sees(crops, name):
    quarters = crops[name][[8, 8, 24, 24], [8, 24, 8, 24]]
    np.testing.assert_allclose(quarters, USABLE[name][1], atol=8)
