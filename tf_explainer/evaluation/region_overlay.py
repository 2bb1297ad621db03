"""Draws a crop with the region that a filter responds to: bright inside, dark outside, with an outline."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tf_explainer.images.unit_grid import UnitGrid

Colour = tuple[int, int, int]

_OUTSIDE = 0.45  # brightness outside the region
_OUTLINE = 2  # width of the outline in pixels
_OVERSAMPLING = 2  # regions are drawn this many times larger and then reduced, for smooth edges


def overlay(
    crop: np.ndarray,
    activations: np.ndarray,
    threshold: float,
    grid: UnitGrid,
    *,
    size: int,
    colour: Colour,
    mark: tuple[float, float] | None = None,
) -> Image.Image:
    """Draws one picture.

    Args:
        crop: `[S, S, 3]` uint8.
        activations: `[L, L]`, the filter's map of the crop.
        threshold: the region consists of the places where the bilinearly interpolated map exceeds this.
        grid: positions of the units in the crop.
        size: side of the picture, in pixels.
        colour: colour of the outline.
        mark: position (y, x) to mark with a cross, in units of the crop.

    Returns:
        An RGB picture.
    """
    above = upsampled(activations, grid, size * _OVERSAMPLING) > threshold
    region = Image.fromarray(np.where(above, 255, 0).astype(np.uint8))
    within = region
    for _ in range(_OUTLINE * _OVERSAMPLING):
        within = within.filter(ImageFilter.MinFilter(3))
    inside, outline = (
        mask.resize((size, size), Image.Resampling.BOX)
        for mask in (region, ImageChops.subtract(region, within))
    )
    picture = Image.fromarray(crop).resize((size, size), Image.Resampling.LANCZOS)
    dark = Image.fromarray((np.asarray(picture) * _OUTSIDE).astype(np.uint8))
    picture = Image.composite(picture, dark, inside)
    picture.paste(Image.new("RGB", picture.size, colour), mask=outline)
    if mark is not None:
        _cross(picture, mark, size)
    return picture


def upsampled(activations: np.ndarray, grid: UnitGrid, size: int) -> np.ndarray:
    """Interpolates a map bilinearly between the centres of its units' receptive fields.

    Beyond the outermost centres, the map is continued with its values there.

    Args:
        activations: `[L, L]`.
        grid: positions of the units in the crop.
        size: side of the result.

    Returns:
        `[size, size]`: the values at the centres of the crop's pixels.
    """
    pixels = (np.arange(size) + 0.5) / size
    units = np.arange(grid.side)
    at = np.clip((pixels - grid.first) / grid.spacing, 0, grid.side - 1)
    weights = np.maximum(1 - np.abs(at[:, None] - units), 0)
    return weights @ activations @ weights.T


def _cross(picture: Image.Image, place: tuple[float, float], size: int) -> None:
    y, x = (coordinate * size for coordinate in place)
    arm = size / 20
    draw = ImageDraw.Draw(picture)
    for width, fill in ((5, (0, 0, 0)), (2, (255, 255, 255))):
        draw.line((x - arm, y, x + arm, y), fill=fill, width=width)
        draw.line((x, y - arm, x, y + arm), fill=fill, width=width)
