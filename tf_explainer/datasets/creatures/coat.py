"""Paints a body: a coat with its pattern, a contour around each part, the far leg in shade.

Any species may wear any coat, so a coat does not reveal the species.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tf_explainer.datasets.creatures.canvas import Colour, Painter, blob
from tf_explainer.datasets.creatures.scene import Animal, extent

_CONTOUR = 0.035  # width, body units
_DARK = (44, 36, 36)
_EYE = (250, 250, 244)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coat:
    """Colours of an animal.

    Attributes:
        pattern: `stripes`, `patches`, `net` or `dots`.
        ground, mark: RGB colours of the background and of the pattern.
    """

    pattern: str
    ground: Colour
    mark: Colour


COATS = (
    Coat(pattern="stripes", ground=(186, 150, 110), mark=(92, 66, 48)),
    Coat(pattern="patches", ground=(228, 224, 216), mark=(84, 78, 76)),
    Coat(pattern="net", ground=(232, 214, 176), mark=(150, 112, 78)),
    Coat(pattern="dots", ground=(128, 122, 118), mark=(210, 206, 198)),
)


def paint_animal(painter: Painter, animal: Animal) -> None:
    """Paints an animal over what is on the canvas."""
    pieces, view = animal.pieces, animal.to_picture
    coat = COATS[int(painter.between(0, len(COATS)))]
    marks = [view(mark) for mark in _PATTERNS[coat.pattern](painter, *extent(pieces))]
    hide = painter.texture(painter.vary(coat.ground), marks, painter.vary(coat.mark))
    species = animal.species
    leg = painter.vary(species.leg_colour)
    red, green, blue = (value * 7 // 10 for value in leg)
    colours = {
        "saddle": painter.vary(species.saddle_colour),
        "head": painter.vary(species.head_colour),
        "tail": painter.vary(species.tail_colour),
        "leg": leg,
        "far_leg": (red, green, blue),
        "eye": _EYE,
        "dark": _DARK,
    }
    for _, layer in itertools.groupby(pieces, key=lambda piece: piece.part):
        layer_pieces = list(layer)
        for piece in layer_pieces:
            painter.fill(view(_grown(piece.outline, _CONTOUR)), _DARK)
        for piece in layer_pieces:
            if piece.paint == "coat":
                painter.fill_from(view(piece.outline), hide)
            else:
                painter.fill(view(piece.outline), colours[piece.paint])


def _grown(outline: np.ndarray, width: float) -> np.ndarray:
    """Moves the corners of a convex polygon outward."""
    along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=-1)
    outward /= np.maximum(np.hypot(outward[:, :1], outward[:, 1:]), 1e-9)
    away = np.sum(outward * (outline - outline.mean(axis=0)))
    return outline + (width if away > 0 else -width) * outward


def _stripes(painter: Painter, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    stripes = []
    x = low[0]
    while x < high[0]:
        half = painter.between(0.035, 0.07)
        tip = x + painter.between(-0.2, 0.2)
        stripes.append(
            np.array([(x - half, low[1]), (x + half, low[1]), (tip + 0.3 * half, high[1]), (tip, high[1])])
        )
        x += painter.between(0.2, 0.32)
    return stripes


def _patches(painter: Painter, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    patches = []
    for _ in range(14):
        x, y = (painter.between(a, b) for a, b in zip(low, high, strict=True))
        patches.append(blob(x, y, painter.between(0.14, 0.4), painter.between(0.12, 0.32)))
    return patches


def _net(painter: Painter, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    cell = 0.27
    hexagon = np.array([(-0.5, 0.0), (-0.25, -0.42), (0.25, -0.42), (0.5, 0.0), (0.25, 0.42), (-0.25, 0.42)])
    meshes = []
    for column, x in enumerate(np.arange(low[0], high[0] + cell, 0.8 * cell)):
        for y in np.arange(low[1], high[1] + cell, cell):
            centre = (x, y + 0.5 * cell * (column % 2))
            meshes.append(centre + 0.95 * cell * hexagon * painter.between(0.85, 1.1))
    return meshes


def _dots(painter: Painter, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    dots = []
    for _ in range(90):
        x, y = (painter.between(a, b) for a, b in zip(low, high, strict=True))
        radius = painter.between(0.025, 0.06)
        dots.append(blob(x, y, radius, radius)[::2])
    return dots


_PATTERNS = {"stripes": _stripes, "patches": _patches, "net": _net, "dots": _dots}
