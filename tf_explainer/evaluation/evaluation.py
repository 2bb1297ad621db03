"""Measures a performer's target layer and both interpretable layers side by side, from stored features."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tf_explainer.config import EvaluationConfig
from tf_explainer.errors import UserError
from tf_explainer.evaluation import parts
from tf_explainer.evaluation.class_accuracy import ClassAccuracy, order_warning
from tf_explainer.evaluation.collected_responses import LAYERS, PERFORMER, CollectedResponses, named_outputs
from tf_explainer.evaluation.evidence import measure_evidence
from tf_explainer.evaluation.part_figures import evidence_figures, part_figures
from tf_explainer.evaluation.parts import Part
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import LABEL, SCORES
from tf_explainer.features.stored_features import Features
from tf_explainer.metrics.evidence import Evidence
from tf_explainer.metrics.fidelity import Fidelity, FidelitySummary
from tf_explainer.metrics.followed_landmarks import whereabouts
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures, measure_layer, permute, resample
from tf_explainer.metrics.part_measures import PartMeasures, measure_parts
from tf_explainer.metrics.resampling import bootstrap_intervals, permuted_null
from tf_explainer.metrics.summary import summarise
from tf_explainer.training.collected_part_maps import collect_part_maps, mean_responses_elsewhere
from tf_explainer.training.filter_groups import filter_groups
from tf_explainer.training.track_fidelity import TrackFidelity, add_decoded, measure_tracks, new_fidelity
from tf_explainer.training.validation import uses_landmarks

_PERMUTATIONS = 10

Progress = Callable[[str, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All measures of a trained explainer.

    Attributes:
        layers: measures of the filters, by the names in `LAYERS`.
        annotations: labels and landmarks of the N images of the categories.
        ids: ids of these images.
        groups: `[F]` int, the part of each filter of conv_interp_2, or -1.
        parts: the P named parts.
        part_maps: `[N, L, L, P]` float32, from `explainer.part_maps`.
        part_measures: how well the parts follow landmarks.
        tracks: fidelity of each track alone, on the images of `fidelity`.
        evidence: what the parts and the performer's filters look at, by layer; empty if not requested.
        chosen_by: the measure by which the explainer's epoch was chosen; empty for the last epoch.
        part_share: p, the weight of the part features in the mix.
        energy_share: the interpretable track's share of the mixed features' energy.
        fidelity: fidelity on the held-out images of all classes, or on all images if none are held out.
        intervals: 95 % intervals of the figures in `metrics`; None if not requested.
        permuted: figures of the same filters against the landmarks of other images, by layer.
        explainer: fingerprint of the explainer.
        class_accuracy: the performer's accuracy and the number of images, for each class that it knows.
    """

    layers: dict[str, LayerMeasures]
    annotations: Annotations
    ids: list[str]
    groups: np.ndarray
    parts: list[Part]
    part_maps: np.ndarray
    part_measures: PartMeasures
    tracks: TrackFidelity
    evidence: dict[str, Evidence]
    chosen_by: str
    part_share: float
    energy_share: float
    fidelity: FidelitySummary
    intervals: dict[str, Any] | None
    permuted: dict[str, Any]
    explainer: str
    class_accuracy: dict[str, tuple[float, int]]

    def metrics(self) -> dict[str, Any]:
        """Returns the content of `metrics.json`: plain values, None if there is nothing to measure."""
        layers = {
            name: summarise(layer, self.annotations) | {"permuted_images": self.permuted[name]}
            for name, layer in self.layers.items()
        }
        names = [part.name for part in self.parts]
        uncertain = {} if self.intervals is None else {"intervals": self.intervals}
        return _without_nan(
            {
                "parts": part_figures(self.part_measures, names),
                "tracks": dataclasses.asdict(self.tracks),
                "evidence": evidence_figures(self.evidence, names),
                "explainer": self.explainer,
                "layers": layers,
                "part_share": self.part_share,
                "energy_share": self.energy_share,
                "fidelity": _fidelity_figures(self.fidelity),
                "performer_accuracy_by_class": {
                    name: share for name, (share, _) in self.class_accuracy.items()
                },
                "class_order_warning": order_warning(self.class_accuracy),
                "images": len(self.ids),
                "images_held_out": int(self.annotations.held_out.sum()),
                "categories": list(self.annotations.categories),
                "epoch_chosen_by": self.chosen_by or None,
                "epoch_chosen_with_landmarks": uses_landmarks(self.chosen_by),
            }
            | uncertain
        )

    def to_json(self, run: Mapping[str, Any] | None = None) -> str:
        """Returns `metrics` as indented JSON, with a description of the run if it is given."""
        description = {} if run is None else {"run": dict(run)}
        return json.dumps(description | self.metrics(), indent=2, allow_nan=False) + "\n"


def evaluate(
    explainer: Explainer,
    head: keras.Model,
    features: Features,
    config: EvaluationConfig,
    progress: Progress = lambda stage, images: None,  # noqa: ARG005
    *,
    groups: np.ndarray | None = None,
    feature_model: keras.Model | None = None,
    chosen_by: str = "",
) -> Evaluation:
    """Computes all measures of `tf_explainer.metrics`.

    Filters and parts are measured on the categories' images of `config.split`, fidelity on the held-out
    images of all classes (on all images if none are held out).

    Args:
        explainer: the trained explainer.
        head: the performer's layers from the last distilled layer to the logits.
        features: stored features of its performer.
        config: evaluation settings.
        progress: called with the stage and the number of images processed since the last call.
        groups: `[F]` int, the part of each filter of conv_interp_2, or -1; None for those of `filter_groups`.
        feature_model: model from images to the target layer's features, `Performer.feature_model`; needed for
            `config.evidence_images`.
        chosen_by: the measure by which the explainer's epoch was chosen.

    Raises:
        UserError: the split has no image of any category, or a landmark in `config` does not exist.
    """
    collected = CollectedResponses(explainer, features)
    accuracy = ClassAccuracy(features.outputs)
    for batch in features.batches(config.split, negatives=True):
        accuracy.add(batch[SCORES], batch[LABEL])
        in_categories = batch[LABEL] != features.manifest.negative_label
        if in_categories.any():
            collected.add({name: values[in_categories] for name, values in batch.items()})
        progress("parts", len(batch[LABEL]))
    if not collected.ids:
        raise UserError(
            f"--evaluation_split={config.split} has no image of any category "
            f"({', '.join(features.categories) or 'there are none'}): use another split or --held_out_fold"
        )
    annotations = collected.annotations(config.landmarks)
    fidelity_split: Split = "held_out"
    fidelity = _fidelity(explainer, head, features, fidelity_split, progress)
    if not fidelity.images:
        fidelity_split = "all"
        fidelity = _fidelity(explainer, head, features, fidelity_split, progress)
    layers = {
        name: measure_layer(*collected.of_layer(name), annotations, features.grid, config.top_images)
        for name in LAYERS
    }
    peaks, performer = (layers[name].peaks for name in (INTERPRETABLE_LAYERS[-1], PERFORMER))
    groups = filter_groups(explainer, peaks, features.grid) if groups is None else groups
    maps = collect_part_maps(
        explainer, features, config.split, groups, lambda images: progress("part maps", images)
    )
    elsewhere = mean_responses_elsewhere(explainer, features, config.split, groups)
    where = whereabouts(maps, annotations, features.grid, elsewhere)
    named = parts.name_parts(groups, peaks, where, annotations.annotated_categories)
    names = [part.name for part in named]

    def figures_of_parts(images: np.ndarray) -> dict[str, Any]:
        selected = maps[images], performer.select(images), annotations.select(images)
        return part_figures(measure_parts(*selected, features.grid, config.top_images), names)

    tracks = measure_tracks(
        explainer, head, features, fidelity_split, lambda images: progress("tracks", images)
    )
    evidence = {}
    if config.evidence_images and feature_model is not None:
        evidence = measure_evidence(
            explainer, feature_model, features, groups, fidelity_split, config, progress
        )
    return Evaluation(
        groups=groups,
        parts=named,
        part_maps=maps,
        part_measures=measure_parts(maps, performer, annotations, features.grid, config.top_images),
        tracks=tracks,
        evidence=evidence,
        chosen_by=chosen_by,
        layers=layers,
        annotations=annotations,
        ids=collected.ids,
        part_share=explainer.part_share,
        energy_share=collected.energy.value,
        explainer=explainer.fingerprint,
        class_accuracy=accuracy.by_class(),
        fidelity=fidelity.summary(),
        intervals=_intervals(layers, figures_of_parts, annotations, fidelity, config, progress),
        permuted={name: _permuted(layer, annotations, config) for name, layer in layers.items()},
    )


def _intervals(
    layers: dict[str, LayerMeasures],
    figures_of_parts: Callable[[np.ndarray], dict[str, Any]],
    annotations: Annotations,
    fidelity: Fidelity,
    config: EvaluationConfig,
    progress: Progress,
) -> dict[str, Any] | None:
    """Computes bootstrap intervals over the images of the categories and, for fidelity, over its own images.

    Args:
        layers: measures of the layers.
        figures_of_parts: returns the figures of the parts from the indices of images.
        annotations: annotations of the images of the categories.
        fidelity: the measure of fidelity with all its images.
        config: settings, with the number of resamples.
        progress: called after each resample with its number of images.
    """

    def of_images(images: np.ndarray) -> dict[str, Any]:
        progress("bootstrap", len(images))
        selected = annotations.select(images)
        return {"parts": figures_of_parts(images)} | {
            name: summarise(resample(layer, annotations, images, config.top_images), selected)
            for name, layer in layers.items()
        }

    bounds = bootstrap_intervals(of_images, _halves(annotations.labels), config.bootstrap)
    if bounds is None:
        return None
    one_group = np.zeros(fidelity.images, int)
    return {
        "parts": bounds.pop("parts"),
        "layers": bounds,
        "fidelity": bootstrap_intervals(
            lambda images: _fidelity_figures(fidelity.summary(images)), one_group, config.bootstrap
        ),
    }


def _halves(labels: np.ndarray) -> np.ndarray:
    """Returns each image's group, `[N]` int: its category, and whether its index within it is even or odd."""
    of_label = [np.cumsum(labels == label) - 1 for label in range(labels.max() + 1)]
    return 2 * labels + np.stack(of_label)[labels, np.arange(len(labels))] % 2


def _permuted(layer: LayerMeasures, annotations: Annotations, config: EvaluationConfig) -> dict[str, Any]:
    """Measures the chance level: the responses to each image against the landmarks of another image."""

    def measure(images: np.ndarray) -> dict[str, float]:
        figures = summarise(permute(layer, annotations, images, config.top_images), annotations)
        return {"location_instability": figures["location_instability"]} | {
            name: figures["tracking"][name] for name in ("median_ratio", "share_below_half")
        }

    return permuted_null(measure, annotations.labels, _PERMUTATIONS)


def _fidelity_figures(fidelity: FidelitySummary) -> dict[str, Any]:
    difference = fidelity.explainer_accuracy - fidelity.performer_accuracy
    return dataclasses.asdict(fidelity) | {"accuracy_difference": difference}


def _fidelity(
    explainer: Explainer, head: keras.Model, features: Features, split: Split, progress: Progress
) -> Fidelity:
    fidelity = new_fidelity(features)
    for batch in features.batches(split, negatives=True):
        decoded = named_outputs(explainer, batch[features.manifest.target.name].astype(np.float32))
        add_decoded(fidelity, head, features, batch, decoded)
        progress("fidelity", len(batch[LABEL]))
    return fidelity


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and np.isnan(value) else value
