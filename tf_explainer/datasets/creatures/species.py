"""The species that are drawn; they differ in heads, saddles, legs and tails, not in coats."""

from __future__ import annotations

import dataclasses

from tf_explainer.datasets.creatures.canvas import Colour

_RED, _ORANGE = (210, 36, 48), (250, 176, 32)
_GREEN, _LIME = (24, 132, 72), (170, 226, 60)
_BLUE, _CYAN = (36, 72, 196), (70, 206, 236)
_VIOLET, _PINK = (120, 52, 160), (250, 110, 190)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Species:
    """The features that distinguish a species; lengths in body units.

    Attributes:
        name: the category.
        head: radius of the skull, length and radius of the muzzle.
        crown: on top of the head: `ears`, `horns`, `antlers` or `crest`.
        tail: length, radius at the torso, radius at the tip, radius of the tuft.
        head_colour, saddle_colour, leg_colour, tail_colour: RGB. Each part has two colours of its own, each
            worn by two species, so that a network has to look at several parts.
    """

    name: str
    head: tuple[float, float, float]
    crown: str
    tail: tuple[float, float, float, float]
    head_colour: Colour
    saddle_colour: Colour
    leg_colour: Colour
    tail_colour: Colour


SPECIES = (
    Species(
        name="cat",
        head=(0.42, 0.26, 0.2),
        crown="ears",
        tail=(1.2, 0.14, 0.12, 0.17),
        head_colour=_RED,
        saddle_colour=_GREEN,
        leg_colour=_BLUE,
        tail_colour=_VIOLET,
    ),
    Species(
        name="cow",
        head=(0.36, 0.46, 0.29),
        crown="horns",
        tail=(1.1, 0.1, 0.09, 0.26),
        head_colour=_RED,
        saddle_colour=_LIME,
        leg_colour=_CYAN,
        tail_colour=_PINK,
    ),
    Species(
        name="deer",
        head=(0.34, 0.42, 0.19),
        crown="antlers",
        tail=(0.7, 0.22, 0.2, 0.24),
        head_colour=_ORANGE,
        saddle_colour=_LIME,
        leg_colour=_BLUE,
        tail_colour=_PINK,
    ),
    Species(
        name="lizard",
        head=(0.34, 0.6, 0.2),
        crown="crest",
        tail=(1.3, 0.3, 0.1, 0.2),
        head_colour=_ORANGE,
        saddle_colour=_GREEN,
        leg_colour=_CYAN,
        tail_colour=_VIOLET,
    ),
)
