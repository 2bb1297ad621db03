"""A canvas that gives the same picture on every machine: filled polygons with integer corners.

Its resolution is `SUPERSAMPLING` times that of the picture; it is averaged down at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SUPERSAMPLING = 3

Colour = tuple[int, int, int]


class Painter:
    """A canvas with its own random generator; later shapes cover earlier ones."""

    def __init__(self, width: int, height: int, rng: np.random.Generator):
        self._rng = rng
        self.width, self.height = width, height
        self._canvas = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING))
        self._draw = ImageDraw.Draw(self._canvas)

    def between(self, low: float, high: float) -> float:
        """Draws a number in [low, high)."""
        return low + (high - low) * self._rng.random()

    def choose(self, options: Sequence[Colour]) -> Colour:
        """Draws one of the colours and changes it a little."""
        return self.vary(options[int(self._rng.random() * len(options))])

    def vary(self, colour: Colour, spread: int = 18) -> Colour:
        """Moves each channel of a colour by up to `spread`."""
        red, green, blue = (max(0, min(255, c + round(self.between(-spread, spread)))) for c in colour)
        return red, green, blue

    def fill(self, outline: np.ndarray, colour: Colour) -> None:
        """Fills a polygon, `[N, 2]` in pixels of the picture."""
        self._draw.polygon(_corners(outline), fill=colour)

    def fill_from(self, outline: np.ndarray, texture: Image.Image) -> None:
        """Fills a polygon with the part of a canvas-sized texture that it covers."""
        corners = np.array(_corners(outline))
        left, top = corners.min(axis=0).tolist()
        right, bottom = (corners.max(axis=0) + 1).tolist()
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in corners.tolist()], fill=255)
        self._canvas.paste(texture.crop((left, top, right, bottom)), (left, top), mask)

    def texture(self, base: Colour, marks: Sequence[np.ndarray], mark: Colour) -> Image.Image:
        """Returns a canvas of one colour with polygons of another."""
        texture = Image.new("RGB", self._canvas.size, base)
        draw = ImageDraw.Draw(texture)
        for outline in marks:
            draw.polygon(_corners(outline), fill=mark)
        return texture

    def ellipse(self, x: float, y: float, x_radius: float, y_radius: float, colour: Colour) -> None:
        """Fills an ellipse, in pixels of the picture."""
        self.fill(blob(x, y, x_radius, y_radius), colour)

    def finish(self) -> np.ndarray:
        """Averages the canvas down and adds grain; `[H, W, 3]` uint8."""
        picture = np.asarray(self._canvas.reduce(SUPERSAMPLING), np.int16)
        grain = self._rng.integers(-9, 10, (self.height, self.width, 1), dtype=np.int16)
        return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _corners(outline: np.ndarray) -> list[tuple[int, int]]:
    return [(x, y) for x, y in np.rint(outline * SUPERSAMPLING).astype(int).tolist()]


_CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in 2 * np.pi * np.arange(20) / 20])


def blob(x: float, y: float, x_radius: float, y_radius: float) -> np.ndarray:
    """Returns an ellipse as a polygon, `[20, 2]`."""
    return _CIRCLE * (x_radius, y_radius) + (x, y)
