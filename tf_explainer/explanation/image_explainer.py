"""A performer with its explainer: explains images, one or many at once.

explainer = ImageExplainer(performer, explainer, parts, class_names, mean_features)
explanation = explainer.explain(image)
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import keras
import numpy as np
from scipy.special import expit

from tf_explainer.config import AttributionConfig
from tf_explainer.evaluation.parts import Part, lone_filter, parts_of_filters
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.explanation import removal
from tf_explainer.explanation.attribution import Attributor
from tf_explainer.explanation.explanation import Explanation, SeenPart, greatest_first
from tf_explainer.images.crop import crop_to_object
from tf_explainer.images.record import ImageRecord, ImageReference
from tf_explainer.images.unit_grid import UnitGrid
from tf_explainer.performer.performer import SCORES, Performer
from tf_explainer.scores import check, class_probabilities


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
        groups = parts_of_filters((*self._parts, *self._alone), shown.filters)
        part_maps = part_map_model(explainer, groups).output
        self._encoder = keras.Model(explainer.input, [part_maps, *self._attributor.tracks.outputs])
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
        return _Seen(crops, probabilities, np.moveaxis(maps, -1, 1), tracks)

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
                    parts=greatest_first(
                        [
                            self._seen(part.in_category(category), *of_part)
                            for part, *of_part in zip(
                                self._parts, seen.maps[row], added[n], lost[n], strict=False
                            )
                        ]
                    ),
                    lone_filters=greatest_first(
                        [
                            self._seen(part, seen.maps[row, k], added[n, k])
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
        self, part: Part, seen: np.ndarray, contribution: float, lost_without: float | None = None
    ) -> SeenPart:
        unit = int(seen.argmax())
        strength = float(seen.flat[unit])
        return SeenPart(
            part=part,
            contribution=float(contribution),
            lost_without=None if lost_without is None else float(lost_without),
            place=self._places[unit] if strength > 0 else None,
            strength=strength,
            map=seen,
        )


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What one pass of performer and explainer tells of B images.

    Attributes:
        crops: `[B, S, S, 3]` uint8.
        probabilities: `[B, classes]`, the performer's.
        maps: `[B, P, L, L]`, of the parts, then of the filters in none.
        tracks: `[B, L, L, F]` each.
    """

    crops: np.ndarray
    probabilities: np.ndarray
    maps: np.ndarray
    tracks: list[np.ndarray]
