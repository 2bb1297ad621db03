"""Which filters are worth a picture: those that follow a landmark best, each at a place of its own."""

from __future__ import annotations

import itertools

import numpy as np

from tf_explainer.metrics import tracking
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures

# Mean places closer than this, in sides of the crop, show the same part.
_SAME_PART = 0.16


def best_filters(layer: LayerMeasures, annotations: Annotations, count: int) -> list[int]:
    """Chooses filters by their tracking ratio, skipping those that repeat a part that is already shown.

    Where tracking filters are too few for that, their places may be half as far apart; only then come others.
    With several categories these take turns. Where there are no landmarks, filters are chosen by the share
    of images on which they have a region: as all filters' regions have the same number of units in all, it is
    high for those that respond at one place on most images, and low for textures.

    Args:
        layer: its measures.
        annotations: categories and landmarks.
        count: how many filters at most.

    Returns:
        Indices of live filters, the best first.
    """
    ratio = tracking.lowest(layer.measures.ratio)
    if np.isnan(ratio).all():
        live = np.flatnonzero(~layer.peaks.dead)
        best_first = live[np.argsort(-images_with_region(layer)[live], kind="stable")]
        return _spread(best_first, np.array([], int), layer.places.mean(axis=0), count)
    places = _mean_offsets(layer, annotations)
    turns = []
    for category in range(len(annotations.categories)):
        measured = np.flatnonzero((layer.category == category) & ~np.isnan(ratio))
        best_first = measured[np.argsort(ratio[measured], kind="stable")]
        tracks = ratio[best_first] < tracking.TRACKS_BELOW
        turns.append(_spread(best_first[tracks], best_first[~tracks], places, count))
    return [f for turn in itertools.zip_longest(*turns) for f in turn if f is not None][:count]


def followed_landmark(layer: LayerMeasures) -> np.ndarray:
    """Returns the landmark with each filter's lowest ratio, `[F]` int, -1 where there is none."""
    ratio = layer.measures.ratio
    if not ratio.shape[1]:
        return np.full(len(ratio), -1)
    best = np.where(np.isnan(ratio), np.inf, ratio).argmin(axis=1)
    return np.where(np.isnan(ratio).all(axis=1), -1, best)


def images_with_region(layer: LayerMeasures) -> np.ndarray:
    """Returns the share of images on which each filter has a unit above its threshold, `[F]`."""
    images, filters = layer.peaks.values.shape
    found = np.zeros((images, filters), bool)
    found[layer.regions.images, layer.regions.filters] = True
    return found.mean(axis=0)


def _mean_offsets(layer: LayerMeasures, annotations: Annotations) -> np.ndarray:
    """Returns the mean place of each filter's peak as seen from the landmark it follows, `[F, 2]`.

    Different landmarks are set far apart, so that following another one is never a repetition.
    """
    landmark = followed_landmark(layer)
    positions = annotations.landmarks[:, landmark, :2]
    seen = (
        layer.peaks.live
        & (annotations.labels[:, None] == layer.category)
        & ~np.isnan(positions[..., 0])
        & (landmark >= 0)
    )
    offsets = np.where(seen[..., None], layer.places - positions, 0).sum(axis=0)
    return offsets / np.maximum(seen.sum(axis=0), 1)[:, None] + 10.0 * landmark[:, None]


def _spread(tracking_first: np.ndarray, others: np.ndarray, places: np.ndarray, count: int) -> list[int]:
    """Takes filters in order, each away from all that were taken before."""
    taken: list[int] = []
    for candidates, distance in (
        (tracking_first, _SAME_PART),
        (tracking_first, _SAME_PART / 2),
        (others, _SAME_PART),
        (tracking_first, 0.0),
        (others, 0.0),
    ):
        for f in candidates:
            apart = np.linalg.norm(places[taken] - places[f], axis=1)
            if len(taken) < count and f not in taken and (apart >= distance).all():
                taken.append(int(f))
    order = [*tracking_first, *others]
    return sorted(taken, key=order.index)
