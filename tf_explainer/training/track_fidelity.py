"""What the parts carry: fidelity with the interpretable track only, and with the rest only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackFidelity:
    """Each track by itself.

    Attributes:
        parts_only: fidelity with the ordinary track at its mean over the images.
        rest_only: with the interpretable track at its mean.
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
    """Measures each track by itself, on images of all classes, which are read twice.

    Args:
        explainer: whose tracks.
        head: the performer's path from the last distilled layer to the scores.
        features: stored features of the performer that it explains.
        split: which images; their mean takes the place of the track that is left out.
        progress: told how many more images are done.

    Returns:
        NaN throughout where the split has no image.
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
    layers = [layer.name for layer in manifest.distilled]
    parts_only, rest_only = (Fidelity(layers, len(manifest.classes)) for _ in range(2))
    for batch, (interpretable, ordinary) in _batches(single, features, split):
        _add(parts_only, head, batch, single.decode(interpretable, mean_rest))
        _add(rest_only, head, batch, single.decode(mean_parts, ordinary))
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


def _add(fidelity: Fidelity, head: keras.Model, batch: Batch, outputs: dict) -> None:
    decoded = {name: ops.convert_to_numpy(ops.cast(value, "float32")) for name, value in outputs.items()}
    targets = {name: batch[name].astype(np.float32) for name in decoded}
    last = list(decoded)[-1]
    fidelity.add(
        targets=targets,
        decoded=decoded,
        performer_scores=ops.convert_to_numpy(head(targets[last])),
        explainer_scores=ops.convert_to_numpy(head(decoded[last])),
        labels=batch[LABEL],
    )
