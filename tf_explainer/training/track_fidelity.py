"""Measures fidelity with each of the explainer's two tracks alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_explainer.explainer.explainer import Explainer
from tf_explainer.explainer.single_track import TRACKS, SingleTracks
from tf_explainer.features.dataset import Split
from tf_explainer.features.schema import LABEL
from tf_explainer.features.stored_features import Batch, Features
from tf_explainer.metrics.fidelity import Fidelity, FidelitySummary
from tf_explainer.metrics.outside_mask import MassOutsideMask
from tf_explainer.scores import are_exclusive


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackFidelity:
    """Fidelity of each track alone.

    Attributes:
        parts_only: fidelity with the ordinary track replaced by its mean over the images.
        rest_only: fidelity with the interpretable track replaced by its mean.
        outside_mask: share of the interpretable track's mass outside the papers' mask of slope 4, on the
            images of the categories.
    """

    parts_only: FidelitySummary
    rest_only: FidelitySummary
    outside_mask: float


def measure_tracks(
    explainer: Explainer,
    head: keras.Model,
    features: Features,
    split: Split,
    progress: Callable[[int], None] = lambda images: None,  # noqa: ARG005
) -> TrackFidelity:
    """Measures each track alone on images of all classes, which are read twice.

    Args:
        explainer: the explainer.
        head: the performer's layers from the last distilled layer to the logits.
        features: stored features of its performer.
        split: the images to use; the track that is left out is replaced by its mean over them.
        progress: called after each batch with its number of images.

    Returns:
        The measures; all NaN if the split has no images.
    """
    single, manifest = SingleTracks(explainer), features.manifest
    outside, images = MassOutsideMask(), 0
    sums = [np.zeros(explainer.feature_shape) for _ in TRACKS]
    for batch, tracks in _batches(single, features, split):
        images += len(batch[LABEL])
        for total, track in zip(sums, tracks, strict=True):
            total += track.sum(axis=0, dtype=np.float64)
        outside.add(tracks[0][batch[LABEL] != manifest.negative_label])
        progress(len(batch[LABEL]))
    mean_parts, mean_rest = (ops.cast(total[None] / max(images, 1), "float32") for total in sums)
    parts_only, rest_only = (new_fidelity(features) for _ in range(2))
    for batch, (interpretable, ordinary) in _batches(single, features, split):
        add_decoded(parts_only, head, features, batch, single.decode(interpretable, mean_rest))
        add_decoded(rest_only, head, features, batch, single.decode(mean_parts, ordinary))
        progress(len(batch[LABEL]))
    return TrackFidelity(
        parts_only=parts_only.summary(), rest_only=rest_only.summary(), outside_mask=outside.share
    )


def _batches(
    single: SingleTracks, features: Features, split: Split
) -> Iterator[tuple[Batch, list[np.ndarray]]]:
    """Yields stored images with both tracks, `[B, L, L, D]` each."""
    for batch in features.batches(split, negatives=True):
        tracks = single.tracks(batch[features.manifest.target.name].astype(np.float32), training=False)
        yield batch, [ops.convert_to_numpy(ops.cast(track, "float32")) for track in tracks]


def new_fidelity(features: Features) -> Fidelity:
    """Returns an empty measure of how well a performer's features are reconstructed.

    Args:
        features: stored features of the performer. If the meaning of its outputs is unknown, each image is
            taken to belong to a single class.
    """
    layers = [layer.name for layer in features.manifest.distilled]
    return Fidelity(layers, exclusive=features.outputs is None or are_exclusive(features.outputs.kind))


def add_decoded(
    fidelity: Fidelity, head: keras.Model, features: Features, batch: Batch, decoded: Mapping[str, Any]
) -> None:
    """Adds a batch to `fidelity`.

    Args:
        fidelity: from `new_fidelity`.
        head: the performer's layers from the last distilled layer to the logits.
        features: the stored features that the batch was read from.
        batch: the batch.
        decoded: the explainer's features `[B, units]` by distilled layer; other outputs are ignored.
    """
    layers = [layer.name for layer in features.manifest.distilled]
    reconstructed = {name: ops.convert_to_numpy(ops.cast(decoded[name], "float32")) for name in layers}
    targets = {name: batch[name].astype(np.float32) for name in layers}
    unknown = np.full(len(features.manifest.classes), -1)
    known = unknown if features.outputs is None else features.outputs.of_labels
    fidelity.add(
        targets=targets,
        decoded=reconstructed,
        performer_logits=ops.convert_to_numpy(head(targets[layers[-1]])),
        explainer_logits=ops.convert_to_numpy(head(reconstructed[layers[-1]])),
        labels=known[batch[LABEL]],
    )
