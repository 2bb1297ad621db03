"""Collects the responses of the performer's and the explainer's filters on all images, for the measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.errors import UserError
from tf_explainer.explainer.explainer import INTERPRETABLE_LAYERS, Explainer
from tf_explainer.explainer.single_track import TRACKS
from tf_explainer.features.schema import ID
from tf_explainer.features.stored_features import ANNOTATIONS, Batch, Features
from tf_explainer.metrics.fidelity import EnergyShare
from tf_explainer.metrics.layer_measures import Annotations
from tf_explainer.metrics.part_interpretability import StrongestUnits
from tf_explainer.metrics.peaks import Peaks

PERFORMER = "performer"
LAYERS = (PERFORMER, *INTERPRETABLE_LAYERS)


def layer_maps(explainer: Explainer, layers: Sequence[str]) -> keras.Model:
    """Returns a model from the explainer's input to the outputs of some of its layers, by name."""
    return keras.Model(explainer.input, {name: explainer.get_layer(name).output for name in layers})


def named_outputs(model: keras.Model, features: np.ndarray) -> Batch:
    """Runs a model with named outputs on a batch.

    Args:
        model: a model whose input is the target layer's features.
        features: `[B, L, L, D]`, the target layer's features.

    Returns:
        `[B, ...]` by the outputs' names.
    """
    return {name: ops.convert_to_numpy(output) for name, output in model(features, training=False).items()}


class CollectedResponses:
    """Peaks and strongest units of each layer's filters, and the annotations of the images.

    Args:
        explainer: the explainer; its interpretable layers are measured, and its performer's target layer.
        features: the stored features that the added batches come from.

    Attributes:
        energy: the interpretable track's share of the mixed features' energy.
        ids: ids of the images added so far.
    """

    def __init__(self, explainer: Explainer, features: Features) -> None:
        manifest = features.manifest
        side, _, filters = manifest.target.shape
        images = sum(manifest.class_counts[name] for name in features.categories)
        self._features, self._target = features, manifest.target.name
        self._maps = layer_maps(explainer, (*INTERPRETABLE_LAYERS, *TRACKS))
        self._peaks: dict[str, list[Peaks]] = {name: [] for name in LAYERS}
        self._units = {name: StrongestUnits(images, side**2, filters) for name in LAYERS}
        self._annotations: list[Batch] = []
        self.energy = EnergyShare(explainer.part_share)
        self.ids: list[str] = []

    def add(self, batch: Batch) -> None:
        """Adds a batch of images of the categories."""
        target = batch[self._target].astype(np.float32)
        maps = named_outputs(self._maps, target)
        self.energy.add(*(maps[track] for track in TRACKS))
        for name in LAYERS:
            activations = target if name == PERFORMER else maps[name]
            self._peaks[name].append(Peaks.of(activations))
            self._units[name].add(activations)
        self._annotations.append({name: batch[name] for name in ANNOTATIONS})
        self.ids += [image_id.decode() for image_id in batch[ID]]

    def of_layer(self, name: str) -> tuple[Peaks, Any]:
        """Returns the peaks of a layer's filters and the regions of their strongest units.

        Args:
            name: one of `LAYERS`.
        """
        return Peaks.joined(self._peaks[name]), self._units[name].regions()

    def annotations(self, chosen: Sequence[str]) -> Annotations:
        """Returns labels and landmarks of the images added so far.

        Args:
            chosen: names of the landmarks to use; empty for all.

        Raises:
            UserError: the stored features have no such landmark.
        """
        every = self._features.annotations(self._annotations)
        rows = _landmark_rows(chosen, every.landmark_names)
        names = tuple(every.landmark_names[row] for row in rows)
        return dataclasses.replace(every, landmark_names=names, landmarks=every.landmarks[:, rows])


def _landmark_rows(chosen: Sequence[str], stored: Sequence[str]) -> list[int]:
    for name in chosen:
        if name not in stored:
            raise UserError(
                f"--landmarks={name}: the stored features have no such landmark, only: {', '.join(stored)}"
            )
    return [row for row, name in enumerate(stored) if name in chosen or not chosen]
