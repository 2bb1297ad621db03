"""Paints landscapes: sky, hills, ground, and things that are not animals."""

from __future__ import annotations

import numpy as np

from tf_explainer.datasets.creatures.canvas import Colour, Painter, blob

_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((120, 178, 226), (214, 232, 242)),
    ((236, 176, 128), (250, 226, 186)),
    ((150, 160, 176), (206, 210, 216)),
    ((96, 150, 170), (190, 220, 206)),
    ((176, 166, 206), (236, 214, 222)),
)
_GROUNDS: tuple[Colour, ...] = (
    (112, 146, 76),
    (196, 170, 116),
    (150, 122, 92),
    (150, 170, 150),
    (226, 230, 236),
)
_CLUTTER: tuple[Colour, ...] = (
    (70, 110, 60),
    (96, 132, 70),
    (140, 98, 62),
    (128, 124, 120),
    (178, 84, 70),
    (206, 178, 90),
    (90, 104, 128),
    (232, 228, 220),
)


def paint_landscape(painter: Painter, horizon: float, things: int) -> None:
    """Fills the canvas with sky, clouds, hills and ground, and scatters `things` objects over the ground."""
    width, height = painter.width, painter.height
    top, bottom = _SKIES[int(painter.between(0, len(_SKIES)))]
    for row in range(0, height, 4):
        band = np.array([(0, row), (width, row), (width, row + 4), (0, row + 4)])
        painter.fill(band, _blend(top, bottom, row / height))
    cloud = painter.vary(_blend(bottom, (255, 255, 255), 0.5), 10)
    for _ in range(3):
        x, y = painter.between(0, width), painter.between(0, horizon)
        for _ in range(3):
            radius = painter.between(4, 9)
            painter.ellipse(
                x + painter.between(-14, 14), y + painter.between(-2, 2), 1.8 * radius, radius, cloud
            )
    ground = painter.choose(_GROUNDS)
    for _ in range(3):
        x, breadth, rise = painter.between(0, width), painter.between(30, 90), painter.between(8, 40)
        painter.ellipse(x, horizon, breadth, rise, painter.vary(_blend(ground, bottom, 0.5)))
    painter.fill(np.array([(-1, horizon), (width, horizon), (width, height), (-1, height)]), ground)
    for _ in range(things):
        x, y = painter.between(0, width), painter.between(horizon - 10, height)
        _THINGS[int(painter.between(0, len(_THINGS)))](painter, x, y, painter.between(6, 24))


def _blend(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _tree(painter: Painter, x: float, y: float, size: float) -> None:
    trunk = painter.choose(_CLUTTER[2:4])
    painter.fill(
        np.array([(x - size / 6, y), (x + size / 6, y), (x + size / 9, y - 2 * size), (x, y - 2 * size)]),
        trunk,
    )
    leaves = painter.choose(_CLUTTER)
    for _ in range(4):
        painter.ellipse(
            x + painter.between(-0.6, 0.6) * size,
            y - painter.between(1.6, 2.6) * size,
            painter.between(0.4, 0.8) * size,
            painter.between(0.4, 0.7) * size,
            painter.vary(leaves, 10),
        )


def _rock(painter: Painter, x: float, y: float, size: float) -> None:
    outline = blob(x, y, size, 0.6 * size)[::2] + np.array([[painter.between(-2, 2)] * 2 for _ in range(10)])
    painter.fill(outline, painter.choose(_CLUTTER))


def _dappled_rock(painter: Painter, x: float, y: float, size: float) -> None:
    marks = [
        blob(x + painter.between(-size, size), y + painter.between(-size, size), 0.3 * size, 0.15 * size)
        for _ in range(8)
    ]
    texture = painter.texture(painter.choose(_CLUTTER), marks, painter.choose(_CLUTTER))
    painter.fill_from(blob(x, y, size, 0.7 * size), texture)


def _post(painter: Painter, x: float, y: float, size: float) -> None:
    tilt = painter.between(-0.4, 0.4) * size
    width = painter.between(0.08, 0.2) * size
    painter.fill(
        np.array(
            [
                (x - width, y),
                (x + width, y),
                (x + width + tilt, y - 2 * size),
                (x - width + tilt, y - 2 * size),
            ]
        ),
        painter.choose(_CLUTTER),
    )


def _grass(painter: Painter, x: float, y: float, size: float) -> None:
    colour = painter.choose(_CLUTTER[:2])
    for _ in range(6):
        foot = x + painter.between(-0.7, 0.7) * size
        tip = foot + painter.between(-0.3, 0.3) * size
        painter.fill(
            np.array([(foot - 1, y), (foot + 1, y), (tip, y - painter.between(0.4, 1.0) * size)]), colour
        )


_THINGS = (_tree, _rock, _dappled_rock, _post, _grass)
