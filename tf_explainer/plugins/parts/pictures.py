"""Encodes crops, and sheets of their thumbnails, as JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tf_explainer.plugins.parts.metadata import SPRITE_COLUMNS, SPRITE_ROWS, THUMBNAIL

_CROP_QUALITY = 88
_SPRITE_QUALITY = 80


def crops(images: np.ndarray) -> list[bytes]:
    """Encodes images `[N, S, S, 3]` uint8."""
    return [_jpeg(Image.fromarray(image), _CROP_QUALITY) for image in images]


def sprites(images: np.ndarray) -> list[bytes]:
    """Encodes sheets of 16 columns and at most 10 rows of thumbnails of images `[N, S, S, 3]` uint8."""
    return [_jpeg(sheet, _SPRITE_QUALITY) for sheet in _sheets(images)]


def _sheets(images: np.ndarray) -> Iterator[Image.Image]:
    size = SPRITE_COLUMNS * SPRITE_ROWS
    for first in range(0, len(images), size):
        on_sheet = images[first : first + size]
        rows = -(-len(on_sheet) // SPRITE_COLUMNS)
        sheet = Image.new("RGB", (SPRITE_COLUMNS * THUMBNAIL, rows * THUMBNAIL))
        for n, image in enumerate(on_sheet):
            row, column = divmod(n, SPRITE_COLUMNS)
            small = Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * THUMBNAIL, row * THUMBNAIL))
        yield sheet


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
