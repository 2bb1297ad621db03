"""Why an image got its score: which object parts the performer sees, where, and how much each adds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tf_explainer.evaluation.parts import Part, is_off_object
from tf_explainer.explanation import verdict
from tf_explainer.images.unit_grid import UnitGrid


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeenPart:
    """A part on one image.

    Attributes:
        part: its name and filters.
        contribution: what its filters add to the score, in nats; negative if they speak against the class.
        lost_without: how much the score drops if its filters respond as in the baseline, in nats; None if not
            measured (lone filters).
        place: y, x of its strongest unit in units of the crop; None if the part is not seen.
        strength: its response at that unit, in mean peaks of a filter.
        map: `[L, L]`, from `explainer.part_maps`.
    """

    part: Part
    contribution: float
    lost_without: float | None = None
    place: tuple[float, float] | None
    strength: float
    map: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers as plain values."""
        return {
            "name": self.part.name,
            "title": self.part.title,
            "contribution": self.contribution,
            "lost_without": self.lost_without,
            "place": None if self.place is None else dict(zip("yx", self.place, strict=True)),
            "strength": self.strength,
            "filters": list(self.part.filters),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explanation:
    """The explanation of one image: its score is the sum of the baseline, the contributions, and the gap.

    Attributes:
        crop: `[S, S, 3]` uint8, what the performer sees.
        class_name: the class whose score is explained.
        score: log-odds of the class, `log p / (1 - p)`, by the explainer, in nats.
        performer_probability, explainer_probability: of the class, according to each network.
        performer_class: the likeliest class according to the performer.
        parts: all parts of the explainer, the greatest contribution (of either sign) first. They are named
            for the likeliest class, or for the explained one if a multi-label performer names it, too.
        lone_filters: filters that share their place with no other, each as a part, in the same order; filters
            that add nothing are left out.
        ordinary: what the ordinary track adds: textures and everything else that is not a part.
        baseline: the score of the class for the baseline, which `method` names.
        gap: the error of the attribution: the score minus baseline and contributions.
        method: how the score was shared out, and from which baseline, in words.
        of_no_object: whether the class stands for 'no object', which missing parts explain.
        interpretable_map, ordinary_map: `[L, L]`, contributions of each track by place.
        grid: where the units of the maps lie in the crop.
        image: the image's name; may be empty.
    """

    crop: np.ndarray
    class_name: str
    score: float
    performer_probability: float
    explainer_probability: float
    performer_class: str
    parts: tuple[SeenPart, ...]
    lone_filters: tuple[SeenPart, ...]
    ordinary: float
    baseline: float
    gap: float
    method: str
    interpretable_map: np.ndarray
    ordinary_map: np.ndarray
    grid: UnitGrid
    of_no_object: bool = False
    image: str = ""

    @property
    def other_filters(self) -> float:
        """The sum of what the filters in no part add, in nats."""
        return sum(seen.contribution for seen in self.lone_filters)

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the score, in nats, parts first."""
        return {
            verdict.PARTS: sum(seen.contribution for seen in self.parts if not is_off_object(seen.part.name)),
            verdict.OFF_OBJECT: sum(
                seen.contribution for seen in self.parts if is_off_object(seen.part.name)
            ),
            verdict.OTHER_FILTERS: self.other_filters,
            verdict.ORDINARY: self.ordinary,
            verdict.BASELINE: self.baseline,
            verdict.GAP: self.gap,
        }

    @property
    def verdict(self) -> str:
        """Whether object parts explain the score, in words."""
        parts, *others = self.terms.items()
        name = verdict.MISSING_PARTS if self.of_no_object else verdict.PARTS
        return verdict.verdict(self.score, {name: parts[1]} | dict(others))

    @property
    def strongest(self) -> tuple[SeenPart, ...]:
        """All parts and lone filters, the greatest contribution (of either sign) first."""
        return greatest_first([*self.parts, *self.lone_filters])

    def plot(self, title: str | None = None) -> Image.Image:
        """Draws the explanation: parts on the image, terms of the score, and contribution maps.

        Args:
            title: heading of the picture; None: the image's name, or the class if it has none.
        """
        from tf_explainer.explanation import picture  # Imports this module.

        return picture.draw(self, self.image or self.class_name if title is None else title)

    def _repr_html_(self) -> str:
        """Renders in a notebook."""
        from tf_explainer.explanation import report

        return report.of_explanation(self.image or self.class_name, self, self.plot())

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.part.title} {part.contribution:+.2f}" for part in self.strongest[:3])
        return f"Explanation({self.class_name}, log-odds {self.score:+.2f}: {parts}, ...; {self.verdict})"

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers as plain values, which `docs/explanations.md` describes."""
        return {
            "class": self.class_name,
            "score_log_odds": self.score,
            "explainer_probability": self.explainer_probability,
            "performer_probability": self.performer_probability,
            "performer_class": self.performer_class,
            "verdict": self.verdict,
            "method": self.method,
            "explained_by_parts": verdict.explains(self.score, self.terms[verdict.PARTS], self.baseline),
            "contributions": {
                "parts": [seen.to_dict() for seen in self.parts],
                "lone_filters": [seen.to_dict() for seen in self.lone_filters],
                "other_filters": self.other_filters,
                "ordinary": self.ordinary,
                "baseline": self.baseline,
                "gap": self.gap,
            },
            "maps": {
                "interpretable": self.interpretable_map.round(6).tolist(),
                "ordinary": self.ordinary_map.round(6).tolist(),
            },
        }


def greatest_first(seen: Sequence[SeenPart]) -> tuple[SeenPart, ...]:
    """Sorts parts by the size of their contributions, of either sign."""
    return tuple(sorted(seen, key=lambda each: -abs(each.contribution)))
