"""Takes snapshots of an explainer and its performer, from stored features."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_explainer.evaluation.collected_responses import PERFORMER, layer_maps, named_outputs
from tf_explainer.evaluation.evaluation import Evaluation
from tf_explainer.evaluation.part_figures import evidence_by_part
from tf_explainer.evaluation.parts import Part, names_in_category, parts_of_filters
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explainer.part_maps import part_map_model
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import CROP, FOLD_POSITION, ID, LABEL, LANDMARKS, SCORES
from tf_explainer.features.stored_features import Batch, Features
from tf_explainer.metrics.evidence import EvidenceSummary
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures, measure_layer
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.peaks import Peaks
from tf_explainer.plugins.parts import quantised_maps, summary
from tf_explainer.plugins.parts.measured_figures import measured_figures
from tf_explainer.plugins.parts.snapshot import Images, Layer, Snapshot
from tf_explainer.training.filter_groups import filter_groups

_BATCH_SIZE = 32
_MOST_BYTES = 64_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownImages:
    """Images for snapshots, evenly chosen from all categories, with their features.

    Attributes:
        features: the stored set.
        records: `crop`, `label`, ... by name, `[N, ...]` each.
    """

    features: Features
    records: Batch

    @classmethod
    def choose(cls, features: Features, split: Split, count: int) -> ShownImages:
        """Reads at most `count` images with their crops.

        Args:
            features: the stored set.
            split: `all`, `train` or `held_out`.
            count: the most images; fewer if the maps of a layer would take more than 64 MB.
        """
        names = (ID, LABEL, LANDMARKS, FOLD_POSITION, SCORES, CROP, features.manifest.target.name)
        total = sum(features.manifest.class_counts[name] for name in features.categories)
        count = min(count, max(1, _MOST_BYTES // math.prod(features.manifest.target.shape)))
        every = max(1, -(-total // count))
        kept: dict[str, list[np.ndarray]] = {name: [] for name in names}
        first = 0
        for batch in features.batches(split, negatives=False, with_crops=True):
            rows = np.flatnonzero((first + np.arange(len(batch[LABEL]))) % every == 0)
            first += len(batch[LABEL])
            for name in names:
                kept[name].append(batch[name][rows])
        return cls(features=features, records={name: np.concatenate(kept[name]) for name in names})

    @property
    def images(self) -> Images:
        """The images as the plugin shows them."""
        manifest, records = self.features.manifest, self.records
        outputs = self.features.outputs
        return Images(
            crops=records[CROP],
            ids=[name.decode() for name in records[ID]],
            classes=manifest.classes,
            labels=records[LABEL],
            predicted=outputs.labels(records[SCORES]) if outputs else np.full(len(records[LABEL]), -1),
            held_out=self.annotations.held_out,
            landmark_names=manifest.landmarks,
            landmarks=records[LANDMARKS][..., :2],
        )

    @property
    def annotations(self) -> Annotations:
        """Their annotations, for measures."""
        return self.features.annotations([self.records])

    def maps(self, explainer: Explainer, layer: str) -> np.ndarray:
        """Returns the maps of a layer, `[N, L, L, F]` float16."""
        if layer == PERFORMER:
            return self.records[self.features.manifest.target.name]
        model = layer_maps(explainer, [layer])
        return self._in_batches(lambda features: named_outputs(model, features)[layer].astype(np.float16))

    def part_maps(self, explainer: Explainer, groups: np.ndarray) -> np.ndarray:
        """Returns the quantised maps of the explainer's parts, `[P, N, L, L]` uint8."""
        model = part_map_model(explainer, groups)
        maps = self._in_batches(lambda features: ops.convert_to_numpy(model(features, training=False)))
        return quantised_maps.quantised(maps)[0]

    def _in_batches(self, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        target = self.records[self.features.manifest.target.name]
        batches = (target[first : first + _BATCH_SIZE] for first in range(0, len(target), _BATCH_SIZE))
        return np.concatenate([compute(batch.astype(np.float32)) for batch in batches])


def of_training(explainer: Explainer, shown: ShownImages, top_images: int) -> Snapshot:
    """Takes a snapshot of the part filters alone, measured on the shown images.

    Args:
        explainer: in its current state.
        shown: the images.
        top_images: images used per filter and landmark.
    """
    name = INTERPRETABLE_LAYERS[-1]
    maps = shown.maps(explainer, name)
    units = StrongestUnits(len(maps), maps.shape[1] ** 2, maps.shape[-1])
    units.add(maps.astype(np.float32))
    measures = measure_layer(
        Peaks.of(maps), units.regions(), shown.annotations, shown.features.grid, top_images
    )
    notes = {"part share p": f"{explainer.part_share:.3f}", "explainer": explainer.fingerprint[:12]}
    snapshot = _snapshot(explainer, shown, {name: measures}, shown.annotations, notes)
    groups = filter_groups(explainer, measures.peaks, shown.features.grid)
    return _grouped(snapshot, groups, shown.part_maps(explainer, groups))


def of_evaluation(
    explainer: Explainer, shown: ShownImages, evaluation: Evaluation, parts: Sequence[Part]
) -> Snapshot:
    """Takes a snapshot of all layers with all figures, measured on all evaluated images.

    Args:
        explainer: the evaluated one.
        shown: images to show.
        evaluation: the results.
        parts: groups of the filters of conv_interp_2, with their names.
    """
    fidelity = evaluation.fidelity
    notes = {
        "part share p": f"{evaluation.part_share:.3f}",
        "energy share": f"{evaluation.energy_share:.3f}",
        "agreement with the performer": f"{100 * fidelity.agreement:.1f} %",
        "images measured": str(len(evaluation.ids)),
        "explainer": evaluation.explainer[:12],
    }
    order = (*reversed(INTERPRETABLE_LAYERS), PERFORMER)
    layers = {name: evaluation.layers[name] for name in order}
    snapshot = _snapshot(explainer, shown, layers, evaluation.annotations, notes)
    groups = parts_of_filters(parts, len(snapshot.layers[0].scales))
    evidence = evidence_by_part(evaluation.evidence, len(parts))
    known: dict[str, Any] = {
        "names": [part.title for part in parts],
        "groups": _described(parts, snapshot.images.classes, evidence),
    }
    return _grouped(snapshot, groups, shown.part_maps(explainer, groups), **known)


def _grouped(snapshot: Snapshot, numbers: np.ndarray, part_maps: np.ndarray, **known: Any) -> Snapshot:
    """Replaces the figure `group` of the first layer, from its responses, by the explainer's parts."""
    layer = snapshot.layers[0]
    known["values"] = np.where(numbers < 0, np.nan, numbers)
    figures = [
        dataclasses.replace(figure, **known) if figure.kind == "group" else figure for figure in layer.figures
    ]
    layer = dataclasses.replace(layer, figures=figures, part_maps=part_maps)
    return dataclasses.replace(snapshot, layers=[layer, *snapshot.layers[1:]])


def _described(
    parts: Sequence[Part], classes: Sequence[str], evidence: Sequence[EvidenceSummary]
) -> list[dict[str, Any]]:
    by_class = {name: names_in_category(parts, name) for name in classes}
    return [
        {
            "name": part.name,
            "in_class": {name: names[k] for name, names in by_class.items() if names[k] != part.name},
            "followed": {name: dataclasses.asdict(each) for name, each in part.followed.items()},
        }
        | (
            {"evidence": dataclasses.asdict(evidence[k])}
            if evidence and math.isfinite(evidence[k].concentration)
            else {}
        )
        for k, part in enumerate(parts)
    ]


def _snapshot(
    explainer: Explainer,
    shown: ShownImages,
    measured: Mapping[str, LayerMeasures],
    annotations: Annotations,
    notes: Mapping[str, str],
) -> Snapshot:
    # The performer comes first, because the other layers are compared with it.
    coded: dict[str, Layer] = {}
    for name in sorted(measured, key=lambda name: name != PERFORMER):
        performer: Sequence[Layer] = [coded[PERFORMER]] if PERFORMER in coded else []
        layer = summary.of_maps(
            name, _title(name, shown), shown.maps(explainer, name), shown.features.grid, performer
        )
        figures = [*measured_figures(measured[name], annotations), *layer.figures]
        coded[name] = dataclasses.replace(layer, figures=figures)
    return Snapshot(images=shown.images, layers=[coded[name] for name in measured], notes=notes)


def _title(name: str, shown: ShownImages) -> str:
    target = shown.features.manifest.target.name
    return f"performer's {target}" if name == PERFORMER else f"explainer's {name}"
