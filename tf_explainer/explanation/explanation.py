"""Why an image got its score: which object parts the performer sees, where, and how much each adds.

explainer = ImageExplainer(performer, explainer, parts, class_names, mean_features)
explanation = explainer.explain(image)
"""

from __future__ import annotations

import dataclasses
import itertools
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
        shown = explainer.get_layer(INTERPRETABLE_LAYERS[-1])
        grouped = {number for part in parts for number in part.filters}
        self._alone = [lone_filter(number) for number in range(shown.filters) if number not in grouped]
        self._groups = [list(part.filters) for part in (*self._parts, *self._alone)]
        self._negative_class = explainer.negative_class
        self._features = performer.feature_model()
        self._attributor = Attributor(
            explainer, performer.head(), performer.output_kind, mean_features, config
        )
        self._encoder = keras.Model(explainer.input, [shown.output, *self._attributor.tracks.outputs])
        self._grid = UnitGrid.of(
            performer.receptive_field(), performer.config.image_size, performer.feature_shape[0]
        )
        self._places = [(y, x) for y, x in self._grid.centres(np.arange(self._grid.side**2)).tolist()]

    def explain(self, image: np.ndarray, class_name: str | None = None) -> Explanation:
        """Explains one image.

        Args:
            image: `[H, W, 3]` uint8, RGB, of any size: it is resized as in extraction.
            class_name: whose score; None: the class that the performer names.

        Raises:
            ValueError: the performer has no such class.
        """
        return self.explain_batch([image], class_name)[0]

    def explain_each(self, image: np.ndarray) -> tuple[Explanation, ...]:
        """Explains every class that the performer says of an image, the likeliest first.

        Of a multi-label network these are the classes of a probability above 0.5, or the likeliest alone if
        there is none; of another network it is one class.

        Args:
            image: as of `explain`.
        """
        return self.explain_each_of_batch([image])[0]

    def explain_batch(self, images: Sequence[np.ndarray], class_name: str | None = None) -> list[Explanation]:
        """Explains images at once, one class of each: one pass of the performer and one of the explainer.

        Args:
            images: B of them, each as of `explain`.
            class_name: as of `explain`.

        Raises:
            ValueError: the performer has no such class.
        """
        if class_name is not None and class_name not in self._names:
            raise ValueError(f"there is no class {class_name!r}; there are {', '.join(self._names)}")
        seen = self._look_at(images)
        named = seen.probabilities.argmax(axis=1)
        chosen = named if class_name is None else np.full(len(named), self._names.index(class_name))
        return self._explain(seen, np.arange(len(named)), chosen)

    def explain_each_of_batch(self, images: Sequence[np.ndarray]) -> list[tuple[Explanation, ...]]:
        """Explains images at once, every class of each as `explain_each` does.

        Args:
            images: B of them, each as of `explain`.
        """
        seen = self._look_at(images)
        said = [self._said(probabilities) for probabilities in seen.probabilities]
        rows = np.repeat(np.arange(len(said)), [len(classes) for classes in said])
        explained = iter(self._explain(seen, rows, np.concatenate(said)))
        return [tuple(itertools.islice(explained, len(classes))) for classes in said]

    def _said(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the classes that the performer says, from their probabilities `[classes]`."""
        likeliest_first = np.argsort(-probabilities, kind="stable")
        several = int((probabilities > 0.5).sum()) if self._performer.is_multi_label else 1
        return likeliest_first[: max(1, several)]

    def _look_at(self, images: Sequence[np.ndarray]) -> _Seen:
        size, kind = self._performer.config.image_size, self._performer.output_kind
        whole = ImageReference(id="", label=0, location="")
        crops = np.stack(
            [crop_to_object(ImageRecord(reference=whole, image=image), size) for image in images]
        )
        outputs = self._features.predict_on_batch(crops)
        check(outputs[SCORES], kind)
        features = np.asarray(outputs[self._performer.config.target_layer], np.float32)
        maps, *tracks = self._encoder.predict_on_batch(features)
        probabilities = np.asarray(class_probabilities(outputs[SCORES], kind), np.float64)
        return _Seen(crops, probabilities, maps, tracks)

    def _explain(self, seen: _Seen, rows: np.ndarray, classes: np.ndarray) -> list[Explanation]:
        """Explains N scores of the images that were seen.

        Args:
            seen: the images.
            rows: `[N]` int, which of them.
            classes: `[N]` int, whose scores.
        """
        tracks = [track[rows] for track in seen.tracks]
        attribution = self._attributor.attribute_tracks(tracks, classes)
        lost = removal.losses_of_tracks(
            self._attributor, tracks, classes, [part.filters for part in self._parts]
        )
        means = np.stack([seen.maps[..., group].mean(axis=-1) for group in self._groups], axis=1)
        added = np.stack([attribution.parts[:, group].sum(axis=-1) for group in self._groups], axis=1)
        found = []
        for n, (row, chosen) in enumerate(zip(rows.tolist(), classes.tolist(), strict=True)):
            probabilities = seen.probabilities[row]
            decided = int(probabilities.argmax())
            says_chosen = self._performer.is_multi_label and probabilities[chosen] > 0.5
            category = self._names[chosen if says_chosen else decided]
            score = float(attribution.scores[n])
            found.append(
                Explanation(
                    crop=seen.crops[row],
                    class_name=self._names[chosen],
                    score=score,
                    performer_probability=float(probabilities[chosen]),
                    explainer_probability=float(expit(score)),
                    performer_class=self._names[decided],
                    parts=_greatest_first(
                        [
                            self._seen(part.in_category(category), *of_part)
                            for part, *of_part in zip(
                                self._parts, means[row], added[n], lost[n], strict=False
                            )
                        ]
                    ),
                    lone_filters=_greatest_first(
                        [
                            self._seen(part, means[row, k], added[n, k])
                            for k, part in enumerate(self._alone, start=len(self._parts))
                            if added[n, k]
                        ]
                    ),
                    ordinary=float(attribution.ordinary[n]),
                    baseline=float(attribution.baseline[n]),
                    gap=float(attribution.gap[n]),
                    method=self._attributor.method,
                    interpretable_map=attribution.interpretable_maps[n],
                    ordinary_map=attribution.ordinary_maps[n],
                    grid=self._grid,
                    of_no_object=chosen == self._negative_class,
                )
            )
        return found

    def _seen(
        self, part: Part, mean: np.ndarray, contribution: float, lost_without: float | None = None
    ) -> SeenPart:
        unit = int(mean.argmax())
        strength = float(mean.flat[unit])
        return SeenPart(
            part=part,
            contribution=float(contribution),
            lost_without=None if lost_without is None else float(lost_without),
            place=self._places[unit] if strength > 0 else None,
            strength=strength,
            map=mean,
        )


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What one pass of performer and explainer tells of B images.

    Attributes:
        crops: `[B, S, S, 3]` uint8.
        probabilities: `[B, classes]`, the performer's.
        maps: `[B, L, L, F]`, of the part filters.
        tracks: `[B, L, L, F]` each.
    """

    crops: np.ndarray
    probabilities: np.ndarray
    maps: np.ndarray
    tracks: list[np.ndarray]


def _is_off_object(seen: SeenPart) -> bool:
    return is_off_object(seen.part.name)


def _greatest_first(seen: Sequence[SeenPart]) -> tuple[SeenPart, ...]:
    return tuple(sorted(seen, key=lambda each: -abs(each.contribution)))
