"""Why an image got its score: which object parts the performer sees, where, and how much each adds.

explainer = ImageExplainer(performer, explainer, parts, class_names, mean_features)
explanation = explainer.explain(image)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image
from scipy.special import expit

from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.parts import Part, is_off_object, lone_filter
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explanation import removal, verdict
from tf_explainer.explanation.attribution import Attributor
from tf_explainer.images.crop import crop_to_object
from tf_explainer.images.record import ImageRecord, ImageReference
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.performer.performer import SCORES, Performer
from tf_explainer.scores import check, class_probabilities


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeenPart:
    """A part on one image.

    Attributes:
        part: its name and filters.
        contribution: what its filters add to the score, in nats; negative where they speak against the class.
        lost_without: what the score really loses where its filters respond as in the baseline, in nats;
            None where it was not tried (lone filters).
        place: y, x of its strongest unit in units of the crop; None where it is not seen.
        strength: its filters' mean response at that unit.
        map: `[L, L]`, its filters' mean responses.
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
    """One image's explanation: its score is that of the baseline, the contributions, and the gap.

    Attributes:
        crop: `[S, S, 3]` uint8, what the performer sees.
        class_name: whose score is explained.
        score: its log-odds, `log p / (1 - p)`, by the explainer, in nats.
        performer_probability, explainer_probability: of that class, each by itself.
        performer_class: the likeliest class, by the performer.
        parts: every part of the explainer, the greatest contribution (of either sign) first; called by what
            it is on in the likeliest class, or in the explained one where the performer says several.
        lone_filters: filters that share their place with no other, each a part of its own, in the same order;
            those that add nothing are left out.
        ordinary: what the ordinary track adds: textures and all that is no part.
        baseline: the class's score of the baseline, of which `method` tells.
        gap: what is missing to the score, the error of the attribution.
        method: how the score was shared out, and from which baseline, in words.
        of_no_object: whether the class stands for 'no object', which parts explain by being missing.
        interpretable_map, ordinary_map: `[L, L]`, contributions of either track by place.
        grid: where the maps' units look.
        image: what the image is called; empty: nobody said it.
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
        """What the filters in no part add together, in nats."""
        return sum(seen.contribution for seen in self.lone_filters)

    @property
    def terms(self) -> dict[str, float]:
        """What the score consists of, in nats, parts first."""
        return {
            verdict.PARTS: sum(seen.contribution for seen in self.parts if not _is_off_object(seen)),
            verdict.OFF_OBJECT: sum(seen.contribution for seen in self.parts if _is_off_object(seen)),
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
        return _greatest_first([*self.parts, *self.lone_filters])

    def plot(self, title: str | None = None) -> Image.Image:
        """Draws it: parts on the image, what the score consists of, and contribution maps.

        Args:
            title: what the image is called; None: as it was when it was explained.
        """
        from tf_explainer.explanation import picture  # It draws explanations.

        return picture.draw(self, self.image or self.class_name if title is None else title)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from tf_explainer.explanation import report

        return report.of_explanation(self.image or self.class_name, self, self.plot())

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.part.title} {part.contribution:+.2f}" for part in self.strongest[:3])
        return f"Explanation({self.class_name}, log-odds {self.score:+.2f}: {parts}, ...; {self.verdict})"

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers as plain values; `docs/explanations.md` tells of them."""
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


class ImageExplainer:
    """A performer with its explainer: explains images.

    Args:
        performer: the network.
        explainer: trained on its features.
        parts: of the explainer's filters, from `parts.name_parts`.
        class_names: of the performer's classes; two where it has one output.
        mean_features: `[L, L, D]`, the target layer's on the average image.
        config: how a score is shared out; None: as by default.
    """

    def __init__(
        self,
        performer: Performer,
        explainer: Explainer,
        parts: Sequence[Part],
        class_names: Sequence[str],
        mean_features: np.ndarray,
        config: AttributionConfig | None = None,
    ) -> None:
        self._performer, self._parts, self._names = performer, tuple(parts), tuple(class_names)
        grouped = {number for part in parts for number in part.filters}
        filters = range(explainer.get_layer(INTERPRETABLE_LAYERS[-1]).filters)
        self._alone = [lone_filter(number) for number in filters if number not in grouped]
        self._negative_class = explainer.negative_class
        self._features = performer.feature_model()
        self._maps = keras.Model(explainer.input, explainer.get_layer(INTERPRETABLE_LAYERS[-1]).output)
        self._attributor = Attributor(
            explainer, performer.head(), performer.output_kind, mean_features, config
        )
        self._grid = UnitGrid.of(
            performer.receptive_field(), performer.config.image_size, performer.feature_shape[0]
        )

    def explain(self, image: np.ndarray, class_name: str | None = None) -> Explanation:
        """Explains one image.

        Args:
            image: `[H, W, 3]` uint8, RGB, of any size: it is resized as in extraction.
            class_name: whose score; None: the class that the performer names.

        Raises:
            ValueError: the performer has no such class.
        """
        if class_name is not None and class_name not in self._names:
            raise ValueError(f"there is no class {class_name!r}; there are {', '.join(self._names)}")
        crop, features, by_performer = self._look_at(image)
        decided = int(by_performer.argmax())
        chosen = decided if class_name is None else self._names.index(class_name)
        says_chosen = self._performer.is_multi_label and by_performer[chosen] > 0.5
        category = self._names[chosen if says_chosen else decided]
        classes = np.array([chosen])
        attribution = self._attributor.attribute(features, classes)
        score = float(attribution.scores[0])
        lost = removal.losses(self._attributor, features, classes, [part.filters for part in self._parts])[0]
        maps = np.asarray(self._maps(features, training=False))[0]
        contributions = attribution.parts[0]
        seen = [
            self._seen(part.in_category(category), maps, contributions, float(value))
            for part, value in zip(self._parts, lost, strict=False)
        ]
        alone = [self._seen(part, maps, contributions) for part in self._alone]
        return Explanation(
            crop=crop,
            class_name=self._names[chosen],
            score=score,
            performer_probability=float(by_performer[chosen]),
            explainer_probability=float(expit(score)),
            performer_class=self._names[decided],
            parts=_greatest_first(seen),
            lone_filters=_greatest_first([each for each in alone if each.contribution]),
            ordinary=float(attribution.ordinary[0]),
            baseline=float(attribution.baseline[0]),
            gap=float(attribution.gap[0]),
            method=self._attributor.method,
            interpretable_map=attribution.interpretable_maps[0],
            ordinary_map=attribution.ordinary_maps[0],
            grid=self._grid,
            of_no_object=chosen == self._negative_class,
        )

    def explain_each(self, image: np.ndarray) -> tuple[Explanation, ...]:
        """Explains every class that the performer says of an image, the likeliest first.

        Of a multi-label network these are the classes of a probability above 0.5, or the likeliest alone if
        there is none; of another network it is one class.

        Args:
            image: as of `explain`.
        """
        if not self._performer.is_multi_label:
            return (self.explain(image),)
        _, _, probabilities = self._look_at(image)
        likeliest_first = np.argsort(-probabilities, kind="stable")
        said = [self._names[number] for number in likeliest_first if probabilities[number] > 0.5]
        return tuple(self.explain(image, name) for name in said or [None])

    def _look_at(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the crop, the target layer's features `[1, L, L, D]`, the classes' probabilities."""
        record = ImageRecord(reference=ImageReference(id="", label=0, location=""), image=image)
        crop = crop_to_object(record, self._performer.config.image_size)
        outputs = self._features.predict_on_batch(crop[None])
        kind = self._performer.output_kind
        check(outputs[SCORES], kind)
        features = np.asarray(outputs[self._performer.config.target_layer], np.float32)
        return crop, features, np.asarray(class_probabilities(outputs[SCORES], kind), np.float64)[0]

    def _seen(
        self, part: Part, maps: np.ndarray, contributions: np.ndarray, lost_without: float | None = None
    ) -> SeenPart:
        filters = list(part.filters)
        mean = maps[..., filters].mean(axis=-1)
        unit = int(mean.argmax())
        strength = float(mean.flat[unit])
        y, x = map(float, self._grid.centres(np.array(unit)))
        return SeenPart(
            part=part,
            contribution=float(contributions[filters].sum()),
            lost_without=lost_without,
            place=(y, x) if strength > 0 else None,
            strength=strength,
            map=mean,
        )


def _is_off_object(seen: SeenPart) -> bool:
    return is_off_object(seen.part.name)


def _greatest_first(seen: Sequence[SeenPart]) -> tuple[SeenPart, ...]:
    return tuple(sorted(seen, key=lambda each: -abs(each.contribution)))
