"""The kinds of animals that are drawn: they differ by heads, tails and feet, not by bodies or coats."""

from __future__ import annotations

import dataclasses

from tf_explainer.datasets.creatures.canvas import Colour


@dataclasses.dataclass(frozen=True, kw_only=True)
class Species:
    """What tells one kind of animal from the others; lengths in body units.

    Attributes:
        name: the category.
        head: radius of the skull, length and radius of the muzzle.
        crown: what stands on the head: `ears`, `horns`, `antlers` or `crest`.
        crown_colour: its colour, RGB.
        tail: length, radius at the torso, radius at the tip, radius of the tuft.
        tuft: colour of the end of the tail, RGB.
        foot: colour of the feet, RGB.
    """

    name: str
    head: tuple[float, float, float]
    crown: str
    crown_colour: Colour
    tail: tuple[float, float, float, float]
    tuft: Colour
    foot: Colour


SPECIES = (
    Species(
        name="cat",
        head=(0.4, 0.26, 0.2),
        crown="ears",
        crown_colour=(244, 128, 160),
        tail=(1.35, 0.12, 0.1, 0.15),
        tuft=(250, 250, 246),
        foot=(250, 250, 246),
    ),
    Species(
        name="cow",
        head=(0.33, 0.46, 0.27),
        crown="horns",
        crown_colour=(232, 224, 196),
        tail=(1.2, 0.07, 0.06, 0.26),
        tuft=(48, 40, 44),
        foot=(48, 40, 44),
    ),
    Species(
        name="deer",
        head=(0.3, 0.42, 0.17),
        crown="antlers",
        crown_colour=(132, 84, 52),
        tail=(0.5, 0.2, 0.2, 0.24),
        tuft=(240, 120, 60),
        foot=(84, 108, 190),
    ),
    Species(
        name="lizard",
        head=(0.31, 0.6, 0.18),
        crown="crest",
        crown_colour=(214, 48, 52),
        tail=(1.5, 0.3, 0.08, 0.2),
        tuft=(240, 206, 48),
        foot=(240, 206, 48),
    ),
)
