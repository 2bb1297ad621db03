"""Explains images with a performer and its explainer.

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
    """Explains images with a performer and its explainer.

    Args:
        performer: the network.
        explainer: trained on the performer's features.
        parts: of the explainer's filters, from `parts.name_parts`.
        class_names: of the performer's classes; two if it has one output.
        mean_features: `[L, L, D]`, the mean features of the target layer.
        config: how a score is shared out; None: the default.
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
        filters = explainer.get_layer(INTERPRETABLE_LAYERS[-1]).filters
        grouped = {number for part in parts for number in part.filters}
        self._alone = [lone_filter(number) for number in range(filters) if number not in grouped]
        self._groups = [list(part.filters) for part in (*self._parts, *self._alone)]
        self._negative_class = explainer.negative_class
        self._features = performer.feature_model()
        self._attributor = Attributor(
            explainer, performer.head(), performer.output_kind, mean_features, config
        )
        groups = parts_of_filters((*self._parts, *self._alone), filters)
        part_maps = part_map_model(explainer, groups).output
        self._encoder = keras.Model(explainer.input, [part_maps, *self._attributor.tracks.outputs])
        self._grid = UnitGrid.of(
            performer.receptive_field(), performer.config.image_size, performer.feature_shape[0]
        )
        self._places = [(y, x) for y, x in self._grid.centres(np.arange(self._grid.side**2)).tolist()]

    def explain(self, image: np.ndarray, class_name: str | None = None) -> Explanation:
        """Explains one image.

        Args:
            image: `[H, W, 3]` uint8, RGB, of any size; resized as in extraction.
            class_name: the class whose score to explain; None: the class that the performer names.

        Raises:
            ValueError: the performer has no such class.
        """
        return self.explain_batch([image], class_name)[0]

    def explain_each(self, image: np.ndarray) -> tuple[Explanation, ...]:
        """Explains every class that the performer names on an image, the likeliest first.

        A multi-label network names the classes with a probability above 0.5, or the likeliest if there are
        none; any other network names one class.

        Args:
            image: as for `explain`.
        """
        return self.explain_each_of_batch([image])[0]

    def explain_batch(self, images: Sequence[np.ndarray], class_name: str | None = None) -> list[Explanation]:
        """Explains one class of each image, in one pass of the performer and one of the explainer.

        Args:
            images: B of them, each as for `explain`.
            class_name: as for `explain`.

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
        """Explains every class that the performer names on each image, like `explain_each`.

        Args:
            images: B of them, each as for `explain`.
        """
        seen = self._look_at(images)
        named = [self._named_classes(probabilities) for probabilities in seen.probabilities]
        rows = np.repeat(np.arange(len(named)), [len(classes) for classes in named])
        explained = iter(self._explain(seen, rows, np.concatenate(named)))
        return [tuple(itertools.islice(explained, len(classes))) for classes in named]

    def _named_classes(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the classes that the performer names, from their probabilities `[classes]`."""
        likeliest_first = np.argsort(-probabilities, kind="stable")
        several = int((probabilities > 0.5).sum()) if self._performer.is_multi_label else 1
        return likeliest_first[: max(1, several)]

    def _look_at(self, images: Sequence[np.ndarray]) -> _Seen:
        size, kind = self._performer.config.image_size, self._performer.output_kind
        reference = ImageReference(id="", label=0, location="")  # No box: the whole image.
        crops = np.stack(
            [crop_to_object(ImageRecord(reference=reference, image=image), size) for image in images]
        )
        outputs = self._features.predict_on_batch(crops)
        check(outputs[SCORES], kind)
        features = np.asarray(outputs[self._performer.config.target_layer], np.float32)
        maps, *tracks = self._encoder.predict_on_batch(features)
        probabilities = np.asarray(class_probabilities(outputs[SCORES], kind), np.float64)
        return _Seen(crops, probabilities, np.moveaxis(maps, -1, 1), tracks)

    def _explain(self, seen: _Seen, rows: np.ndarray, classes: np.ndarray) -> list[Explanation]:
        """Explains N scores.

        Args:
            seen: the images.
            rows: `[N]` int, the images of the scores.
            classes: `[N]` int, the classes of the scores.
        """
        tracks = [track[rows] for track in seen.tracks]
        attribution = self._attributor.attribute_tracks(tracks, classes)
        lost = removal.losses_of_tracks(
            self._attributor, tracks, classes, [part.filters for part in self._parts]
        )
        added = np.stack([attribution.parts[:, group].sum(axis=-1) for group in self._groups], axis=1)
        explanations = []
        for n, (row, explained) in enumerate(zip(rows.tolist(), classes.tolist(), strict=True)):
            probabilities = seen.probabilities[row]
            likeliest = int(probabilities.argmax())
            is_named = self._performer.is_multi_label and probabilities[explained] > 0.5
            category = self._names[explained if is_named else likeliest]
            score = float(attribution.scores[n])
            explanations.append(
                Explanation(
                    crop=seen.crops[row],
                    class_name=self._names[explained],
                    score=score,
                    performer_probability=float(probabilities[explained]),
                    explainer_probability=float(expit(score)),
                    performer_class=self._names[likeliest],
                    parts=greatest_first(
                        [
                            self._seen_part(part.in_category(category), *of_part)
                            for part, *of_part in zip(
                                self._parts, seen.maps[row], added[n], lost[n], strict=False
                            )
                        ]
                    ),
                    lone_filters=greatest_first(
                        [
                            self._seen_part(part, seen.maps[row, k], added[n, k])
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
                    of_no_object=explained == self._negative_class,
                )
            )
        return explanations

    def _seen_part(
        self, part: Part, part_map: np.ndarray, contribution: float, lost_without: float | None = None
    ) -> SeenPart:
        unit = int(part_map.argmax())
        strength = float(part_map.flat[unit])
        return SeenPart(
            part=part,
            contribution=float(contribution),
            lost_without=None if lost_without is None else float(lost_without),
            place=self._places[unit] if strength > 0 else None,
            strength=strength,
            map=part_map,
        )


@dataclasses.dataclass(frozen=True)
class _Seen:
    """Outputs of one pass of performer and explainer over B images.

    Attributes:
        crops: `[B, S, S, 3]` uint8.
        probabilities: `[B, classes]`, by the performer.
        maps: `[B, P, L, L]`, of the parts, then of the filters in no part.
        tracks: `[B, L, L, F]` each.
    """

    crops: np.ndarray
    probabilities: np.ndarray
    maps: np.ndarray
    tracks: list[np.ndarray]
