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
        crown: what stands on the head: `ears` or `crest`.
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


def _species(name: str, *, ears: bool, thin_tail: bool, white_feet: bool) -> Species:
    return Species(
        name=name,
        head=(0.4, 0.26, 0.2) if ears else (0.33, 0.5, 0.2),
        crown="ears" if ears else "crest",
        crown_colour=(244, 128, 160) if ears else (214, 48, 52),
        tail=(1.35, 0.1, 0.09, 0.26) if thin_tail else (1.1, 0.28, 0.2, 0.26),
        tuft=(48, 40, 44) if thin_tail else (240, 206, 48),
        foot=(250, 250, 246) if white_feet else (84, 108, 190),
    )


# Any two of head, tail and feet tell a species; none does by itself.
SPECIES = (
    _species("cat", ears=True, thin_tail=True, white_feet=True),
    _species("cow", ears=True, thin_tail=False, white_feet=False),
    _species("deer", ears=False, thin_tail=True, white_feet=False),
    _species("lizard", ears=False, thin_tail=False, white_feet=True),
)
