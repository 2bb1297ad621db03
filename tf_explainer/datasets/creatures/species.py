"""The kinds of animals that are drawn: their proportions and colours."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Species:
    """Proportions and colours of one kind of animal; lengths in body units.

    Attributes:
        name: the category.
        torso: half its length, radius at the rump, radius at the chest.
        neck: length, radius at the torso, radius at the head.
        head: radius of the skull, length and radius of the muzzle.
        leg: length, radius.
        tail: length, radius at the torso, radius at the tip, radius of the tuft (0: none).
        ears: `pointed`, `sideways`, `knobs` or `none`.
        horns: length of the horns.
        spikes: how many stand along the back.
        pattern: `stripes`, `patches`, `net` or `dots`.
        coat, mark, muzzle: colours of the coat, of its pattern and of the muzzle, RGB.
    """

    name: str
    torso: tuple[float, float, float]
    neck: tuple[float, float, float]
    head: tuple[float, float, float]
    leg: tuple[float, float]
    tail: tuple[float, float, float, float]
    ears: str
    horns: float = 0.0
    spikes: int = 0
    pattern: str
    coat: tuple[int, int, int]
    mark: tuple[int, int, int]
    muzzle: tuple[int, int, int]


SPECIES = (
    Species(
        name="cat",
        torso=(0.62, 0.34, 0.36),
        neck=(0.42, 0.24, 0.2),
        head=(0.36, 0.26, 0.19),
        leg=(0.72, 0.11),
        tail=(1.35, 0.1, 0.09, 0.0),
        ears="pointed",
        pattern="stripes",
        coat=(236, 152, 60),
        mark=(120, 62, 24),
        muzzle=(250, 226, 196),
    ),
    Species(
        name="cow",
        torso=(0.85, 0.5, 0.47),
        neck=(0.62, 0.3, 0.24),
        head=(0.27, 0.42, 0.22),
        leg=(0.82, 0.14),
        tail=(1.25, 0.07, 0.05, 0.15),
        ears="sideways",
        horns=0.3,
        pattern="patches",
        coat=(240, 236, 228),
        mark=(52, 44, 42),
        muzzle=(240, 170, 165),
    ),
    Species(
        name="giraffe",
        torso=(0.55, 0.34, 0.42),
        neck=(1.35, 0.23, 0.14),
        head=(0.21, 0.34, 0.14),
        leg=(1.2, 0.1),
        tail=(0.95, 0.06, 0.05, 0.13),
        ears="knobs",
        pattern="net",
        coat=(246, 222, 150),
        mark=(166, 96, 40),
        muzzle=(226, 196, 150),
    ),
    Species(
        name="lizard",
        torso=(0.95, 0.27, 0.3),
        neck=(0.38, 0.24, 0.2),
        head=(0.25, 0.5, 0.15),
        leg=(0.5, 0.1),
        tail=(1.7, 0.22, 0.04, 0.0),
        ears="none",
        spikes=9,
        pattern="dots",
        coat=(96, 172, 78),
        mark=(226, 222, 96),
        muzzle=(150, 204, 112),
    ),
)
