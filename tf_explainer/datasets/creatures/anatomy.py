"""The bodies of the drawn animals: puppets of convex pieces whose joints move independently.

A body has its own frame: the origin is the torso's middle, x points in the walking direction, y points down,
and one unit is about half the length of a torso.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tf_explainer.datasets.creatures.species import Species

PARTS = ("head", "torso", "legs", "tail")

Point = tuple[float, float]
_STRIDE = (math.radians(-18), math.radians(18))
# Shared by all species: half the torso's length, its radii, lengths of neck and legs, the legs' radius.
_HALF, _RUMP, _CHEST, _NECK, _LEG, _SHIN = 0.66, 0.36, 0.4, 0.5, 0.95, 0.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pose:
    """Angles in radians and factors without unit, each drawn independently of the others.

    Attributes:
        stretch: factor of the torso's length.
        neck: elevation of the neck above straight ahead; negative when grazing.
        pitch: how far the muzzle points above the horizontal.
        looks_back: whether the head faces the tail.
        lean: forward swing of both legs together.
        strides: additional swing of the near and of the far leg.
        crouch: factor of the legs' length.
        tail: elevation of the tail above straight back.
        curl: bend from each quarter of the tail to the next.
    """

    stretch: float
    neck: float
    pitch: float
    looks_back: bool
    lean: float
    strides: tuple[float, float]
    crouch: float
    tail: float
    curl: float


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draws every angle and factor uniformly and independently."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    return Pose(
        stretch=between(0.6, 1.2),
        neck=math.radians(between(-60, 155)),
        pitch=math.radians(between(-40, 20)),
        looks_back=rng.random() < 0.3,
        lean=math.radians(between(-32, 32)),
        strides=(between(*_STRIDE), between(*_STRIDE)),
        crouch=between(0.65, 1.15),
        tail=math.radians(between(-85, 140)),
        curl=math.radians(between(-28, 28)),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Piece:
    """A convex piece of a body.

    Attributes:
        part: the landmark that it belongs to, or None (the neck).
        paint: `coat`, `saddle`, `head`, `tail`, `leg`, `far_leg`, `eye` or `dark`.
        outline: `[N, 2]` x, y.
    """

    part: str | None
    paint: str
    outline: np.ndarray


def build(species: Species, pose: Pose) -> list[Piece]:
    """Assembles a body; its pieces are in painting order, from the back to the front."""
    near, far = pose.strides
    return [
        *_leg(pose, far, "far_leg"),
        *_torso(pose),
        *_leg(pose, near, "leg"),
        *_tail(species, pose),
        *_neck_and_head(species, pose),
    ]


def _torso(pose: Pose) -> list[Piece]:
    half = _HALF * pose.stretch
    saddle = np.array([(-0.34, -0.42), (0.34, -0.42), (0.4, 0.14), (-0.4, 0.14)])
    return [
        Piece(part="torso", paint="coat", outline=_capsule((-half, 0), _RUMP, (half, 0), _CHEST)),
        Piece(part="torso", paint="saddle", outline=saddle),
    ]


def _leg(pose: Pose, stride: float, paint: str) -> list[Piece]:
    """Returns one of two legs below the torso's middle: thigh, shank and foot; knees bend backwards."""
    length = _LEG * pose.crouch
    hip = (0.0, 0.2)
    swing = pose.lean + stride
    knee = _ahead(hip, math.pi / 2 - swing, 0.5 * length)
    ankle = _ahead(knee, math.pi / 2 - swing + 0.35 * abs(stride) + 0.12, 0.5 * length)
    toe = (ankle[0] + 1.7 * _SHIN, ankle[1])
    return [
        Piece(part="legs", paint=paint, outline=_capsule(hip, 1.5 * _SHIN, knee, _SHIN)),
        Piece(part="legs", paint=paint, outline=_capsule(knee, _SHIN, ankle, 0.85 * _SHIN)),
        Piece(part="legs", paint=paint, outline=_capsule(ankle, 1.35 * _SHIN, toe, 1.0 * _SHIN)),
    ]


def _tail(species: Species, pose: Pose) -> list[Piece]:
    length, base, tip, tuft = species.tail
    joint: Point = (-_HALF * pose.stretch - 0.75 * _RUMP, -0.25 * _RUMP)
    angle = math.pi + pose.tail
    pieces = []
    for quarter in range(4):
        end = _ahead(joint, angle, length / 4)
        thick, thin = (base + (tip - base) * k / 4 for k in (quarter, quarter + 1))
        pieces.append(Piece(part="tail", paint="tail", outline=_capsule(joint, thick, end, thin)))
        joint, angle = end, angle + pose.curl
    end = _ahead(joint, angle, tuft)
    return [*pieces, Piece(part="tail", paint="tail", outline=_capsule(joint, tuft, end, 0.5 * tuft))]


def _neck_and_head(species: Species, pose: Pose) -> list[Piece]:
    shoulder = (_HALF * pose.stretch + 0.25 * _CHEST, -0.35 * _CHEST)
    skull = _ahead(shoulder, -pose.neck, _NECK + 0.6 * species.head[0])
    neck = Piece(part=None, paint="coat", outline=_capsule(shoulder, 0.25, skull, 0.18))
    side = -1 if pose.looks_back else 1
    # In the head's own frame the muzzle points along +x; the frame is turned, then mirrored.
    cos, sin = math.cos(pose.pitch), math.sin(pose.pitch)
    turn = np.array([[side * cos, -sin], [side * sin, cos]])
    return [neck, *(dataclasses.replace(p, outline=p.outline @ turn + skull) for p in _head(species))]


def _head(species: Species) -> list[Piece]:
    """Returns the head, with the skull at the origin and the muzzle along +x."""
    skull, reach, muzzle = species.head
    nose = (skull * 0.5 + reach, 0.25 * skull)
    shapes = [
        *(("head", shape) for shape in _crown(species.crown, skull, 0.35 * skull)),
        ("head", _capsule((0, 0), skull, (0.3 * skull, 0), 0.92 * skull)),
        ("head", _capsule((0.5 * skull, 0.25 * skull), 0.9 * muzzle, nose, 0.8 * muzzle)),
        ("dark", _disc((nose[0] + 0.5 * muzzle, nose[1] - 0.35 * muzzle), 0.32 * muzzle)),
        # Ears, horns and so on come in pairs; the far one, above, is behind the skull.
        *(("head", shape) for shape in _crown(species.crown, skull, -0.45 * skull)),
        ("eye", _disc((0.42 * skull, -0.35 * skull), max(0.09, 0.28 * skull))),
        ("dark", _disc((0.5 * skull, -0.33 * skull), max(0.055, 0.16 * skull))),
    ]
    return [Piece(part="head", paint=paint, outline=outline) for paint, outline in shapes]


def _crown(kind: str, skull: float, x: float) -> list[np.ndarray]:
    """Returns an ear, horn, antler or half of a crest at position `x` on the skull."""
    top, high = -0.65 * skull, -0.65 * skull - 0.45
    if kind == "ears":
        return [_triangle((x - 0.08, high - 0.05), (x - 0.26, top + 0.05), (x + 0.24, top + 0.05))]
    if kind == "horns":
        bend = (x + 0.1, top - 0.25)
        return [_capsule((x, top), 0.12, bend, 0.1), _capsule(bend, 0.1, (x + 0.42, high + 0.05), 0.04)]
    if kind == "antlers":
        fork = (x - 0.06, top - 0.3)
        tines = ((x + 0.3, high + 0.02), (x - 0.12, high - 0.2), (x - 0.4, high + 0.1))
        return [_capsule((x, top), 0.07, fork, 0.07), *(_capsule(fork, 0.07, tine, 0.05) for tine in tines)]
    return [
        _triangle((x + lean, high), (x - 0.2, top + 0.1), (x + 0.2, top + 0.1))
        for lean in (-0.35, -0.1, 0.15)
    ]


def _ahead(start: Point, angle: float, length: float) -> Point:
    return start[0] + length * math.cos(angle), start[1] + length * math.sin(angle)


def _triangle(*corners: Point) -> np.ndarray:
    return np.array(corners)


def _disc(centre: Point, radius: float) -> np.ndarray:
    return _arc(centre, radius, 0.0, 2 * math.pi, 14)


def _capsule(start: Point, start_radius: float, end: Point, end_radius: float) -> np.ndarray:
    """Returns the convex hull of two discs, neither of which contains the other."""
    along = math.atan2(end[1] - start[1], end[0] - start[0])
    distance = math.hypot(end[0] - start[0], end[1] - start[1])
    tangent = math.acos(max(-1.0, min(1.0, (start_radius - end_radius) / distance)))
    return np.concatenate(
        [
            _arc(start, start_radius, along + tangent, along + 2 * math.pi - tangent, 10),
            _arc(end, end_radius, along - tangent, along + tangent, 10),
        ]
    )


def _arc(centre: Point, radius: float, first: float, last: float, points: int) -> np.ndarray:
    angles = [first + (last - first) * k / (points - 1) for k in range(points)]
    return np.array([_ahead(centre, angle, radius) for angle in angles])
