"""Decodes images of any common format to RGB pixels, or says why that fails."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from tf_explainer.datasets.source import ReadResult
from tf_explainer.images.record import ImageRecord, ImageReference, UnreadableImageError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""File name endings of images, in lower case."""
MAX_PIXELS = 89_478_485
"""Images of more pixels are refused: Pillow's own limit, 256 MiB of RGB."""

_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations

# Decoding a file of one megabyte can take a gigabyte of memory. Threads decode such files one at a time.
_LARGE = 1 << 24
_ONE_LARGE = threading.Lock()


def decode(encoded: bytes | BinaryIO, *, upright: bool = True) -> np.ndarray:
    """Decodes an image's first frame; transparent pixels are composited on white.

    Colours are assumed to be sRGB (embedded profiles are ignored); 16-bit values keep their upper byte.

    Args:
        encoded: the file's content, or the file opened for reading.
        upright: whether to apply the EXIF orientation. Set to False if boxes and landmarks were annotated on
            the pixels as stored.

    Returns:
        `[H, W, 3]` uint8, RGB.

    Raises:
        UnreadableImageError: the image is empty, truncated, too large, or of a format not in `FORMATS`.
    """
    file = io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image, _turn(image):
                return _pixels(image, upright)
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"it has more than {MAX_PIXELS} pixels", "too_large") from error
    except UnidentifiedImageError as error:
        empty = file.seek(0, io.SEEK_END) == 0
        reason = (
            "the file is empty" if empty else f"it is none of {', '.join(FORMATS)}, or its header is damaged"
        )
        raise UnreadableImageError(reason, "empty" if empty else "no_image") from error
    except Exception as error:  # Pillow's decoders raise many types on damaged bytes.
        raise UnreadableImageError(f"it cannot be decoded: {error}") from error


def _turn(image: Image.Image) -> contextlib.AbstractContextManager[object]:
    """Returns a context that waits for other large images if this image is large."""
    return _ONE_LARGE if image.width * image.height > _LARGE else contextlib.nullcontext()


def _pixels(image: Image.Image, upright: bool) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImageError(
            f"it has more than {MAX_PIXELS} pixels: {image.width}x{image.height}", "too_large"
        )
    image.load()
    if upright:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise UnreadableImageError("its floating-point pixels have no defined range", "floating_point")
    if image.mode.startswith("I"):
        image = _upper_bytes(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _upper_bytes(image: Image.Image) -> Image.Image:
    """Converts 16-bit grey to 8-bit grey; the value that means transparent becomes white."""
    values = np.clip(np.asarray(image), 0, 65535)
    return Image.fromarray(
        np.where(values == image.info.get("transparency", -1), 255, values >> 8).astype(np.uint8)
    )


def size_in_pixels(path: str, *, upright: bool = False) -> tuple[int, int]:
    """Returns an image file's (width, height), from its header alone.

    Args:
        path: of the file.
        upright: whether to apply the EXIF orientation.

    Raises:
        UnreadableImageError: the file is missing or its header cannot be read.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            turned = upright and image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_ITS_SIDE
            return (height, width) if turned else (width, height)
    except Exception as error:
        raise UnreadableImageError(f"its size cannot be read: {error}") from error


def read_files(references: Iterable[ImageReference], *, upright: bool = True) -> Iterator[ReadResult]:
    """Yields each reference, whose location is a path, with its record or why it cannot be read."""
    for reference in references:
        try:
            with open(reference.location, "rb") as file:
                image = decode(file, upright=upright)
            yield reference, ImageRecord(reference=reference, image=image)
        except OSError as error:
            yield reference, UnreadableImageError(f"{reference.location}: {error.strerror}", "no_file")
        except UnreadableImageError as error:
            yield reference, error
