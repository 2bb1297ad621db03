"""Composes a drawn picture: decides where everything is, before it is painted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tf_explainer.datasets.creatures.anatomy import PARTS, Piece, build, draw_pose
from tf_explainer.datasets.creatures.species import SPECIES, Species
from tf_explainer.images.record import Box, Landmark

KINDS: tuple[Species | None, ...] = (*SPECIES, None)
"""Image `i` shows `KINDS[i % len(KINDS)]`; None is a landscape without an animal."""

CONTENTS, PAINT = 0, 1
"""Streams of random numbers: for what an image shows, and for how it is painted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Animal:
    """An animal at its place in the picture.

    Attributes:
        species: of the animal.
        pieces: its body from the back to the front, in the body's frame.
        turn: `[2, 2]`, from that frame to pixels: size, slant, direction.
        origin: `[2]`, position of the torso's middle in the picture, in pixels.
    """

    species: Species
    pieces: tuple[Piece, ...]
    turn: np.ndarray
    origin: np.ndarray

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Maps points `[N, 2]` of the body's frame to pixels of the picture."""
        return points @ self.turn + self.origin

    def landmark(self, part: str) -> Landmark:
        """Returns the centre and the extent of a part."""
        low, high = extent([piece for piece in self.pieces if piece.part == part], self.turn)
        (x, y), (width, height) = (self.origin + (low + high) / 2).tolist(), (high - low).tolist()
        return Landmark(x=x, y=y, width=width, height=height)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """The contents of a picture.

    Attributes:
        width, height: of the picture, in pixels.
        horizon: row where the ground begins, in pixels.
        animal: the animal, or None.
        box: around the animal with some margin, or None.
    """

    width: int
    height: int
    horizon: float
    animal: Animal | None = None
    box: Box | None = None

    @property
    def landmarks(self) -> dict[str, Landmark]:
        """The animal's parts by name; empty where there is no animal."""
        return {part: self.animal.landmark(part) for part in PARTS} if self.animal else {}


def compose(seed: int, index: int) -> Scene:
    """Draws the contents of image `index` of a seed: its size, the animal's pose and place."""
    rng = generator(seed, index, CONTENTS)

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    width, height = round(between(148, 184)), round(between(136, 172))
    species = KINDS[index % len(KINDS)]
    if species is None:
        return Scene(width=width, height=height, horizon=between(0.2, 0.75) * height)
    pieces = tuple(build(species, draw_pose(rng)))
    mirror, slant = (-1 if rng.random() < 0.5 else 1), math.radians(between(-25, 25))
    cos, sin = math.cos(slant), math.sin(slant)
    turn = np.array([[mirror * cos, mirror * sin], [-sin, cos]])
    low, high = extent(pieces, turn)
    size = between(0.68, 0.95) * min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    low, high = size * low, size * high
    origin = (np.array([width, height]) - (high - low)) * (rng.random(), rng.random()) - low
    left, top, right, bottom = (between(0.01, 0.07) * max(high - low) for _ in range(4))
    return Scene(
        width=width,
        height=height,
        horizon=between(0.3, 0.9) * float(origin[1] + high[1]),
        animal=Animal(species=species, pieces=pieces, turn=size * turn, origin=origin),
        box=Box(
            xmin=max(0.0, float(origin[0] + low[0] - left)),
            ymin=max(0.0, float(origin[1] + low[1] - top)),
            xmax=min(float(width), float(origin[0] + high[0] + right)),
            ymax=min(float(height), float(origin[1] + high[1] + bottom)),
        ),
    )


def extent(pieces: Sequence[Piece], turn: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and the highest (x, y) of some pieces, `[2]` each.

    Args:
        pieces: at least one.
        turn: `[2, 2]`, multiplied to the points from the right; None: the pieces' own frame.
    """
    corners = np.concatenate([piece.outline for piece in pieces])
    if turn is not None:
        corners = corners @ turn
    return corners.min(axis=0), corners.max(axis=0)


def generator(seed: int, index: int, stream: int) -> np.random.Generator:
    """Returns one of an image's independent streams of random numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, index, stream))))
