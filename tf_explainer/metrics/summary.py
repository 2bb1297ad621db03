"""The measures of a layer in the form of `metrics.json`: means and shares over its filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_explainer.metrics import tracking
from tf_explainer.metrics.diversity import independent_parts
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures, mean_over_landmarks
from tf_explainer.metrics.location_instability import fixed_centre_instability


def summarise(layer: LayerMeasures, annotations: Annotations) -> dict[str, Any]:
    """Sums up a layer; with several categories also category by category.

    Shares are of all filters of the layer (or category): filters that are dead, or too rare to be measured,
    follow nothing. Means and medians are over the filters for which a measure is defined, but for part
    interpretability, where the others count 0. The fixed centre, like any filter, has the category that is
    best for it. Independent parts are averaged over images, on each image with the filters of its category.

    Args:
        layer: its measures.
        annotations: categories and landmarks.

    Returns:
        Plain values and dictionaries, NaN where there is nothing to measure; `left_out` names the filters
        without measures.
    """
    count = len(annotations.categories)
    in_category = [layer.category == c for c in range(count)]
    images = [annotations.labels == c for c in range(count)]
    centres = [_fixed_centre(annotations, chosen) for chosen in images]
    independent = [_independent_parts(layer, *chosen) for chosen in zip(in_category, images, strict=True)]
    everything = np.ones(len(layer.category), bool)
    summary = (
        {"fixed_centre_instability": min(centres, key=_nan_last, default=np.nan)}
        | _of_filters(layer, everything, annotations)
        | {
            "independent_parts": _averaged(independent, [int(chosen.sum()) for chosen in images]),
            "dead_filters": float(layer.peaks.dead.mean()),
            "rare_filters": _share(layer.rare, layer.measures.ratio),
            "left_out": {
                "dead": np.flatnonzero(layer.peaks.dead).tolist(),
                "rare": np.flatnonzero(layer.rare).tolist(),
            },
        }
    )
    if count > 1:
        summary["categories"] = {
            name: {"images": int(images[c].sum()), "share_of_filters": float(in_category[c].mean())}
            | {"fixed_centre_instability": centres[c], "independent_parts": independent[c]}
            | _of_filters(layer, in_category[c], annotations)
            for c, name in enumerate(annotations.categories)
        }
    return summary


def _fixed_centre(annotations: Annotations, images: np.ndarray) -> float:
    return _mean(fixed_centre_instability(annotations.landmarks[images, :, :2].astype(np.float64)))


def _of_filters(layer: LayerMeasures, chosen: np.ndarray, annotations: Annotations) -> dict[str, Any]:
    """Sums up some filters' measures."""
    measures = layer.measures
    ratio = tracking.lowest(measures.ratio[chosen])
    held_out = tracking.lowest(measures.ratio_held_out[chosen])
    followed = tracking.best_followed(measures.ratio[chosen])
    summary: dict[str, Any] = {
        "filters": int(chosen.sum()),
        "location_instability": _mean(mean_over_landmarks(measures.instability[chosen])),
        "tracking": {
            "median_ratio": _median(ratio),
            "median_ratio_all_images": _median(tracking.lowest(measures.ratio_all_images[chosen])),
            "median_ratio_held_out": _median(held_out),
            "share_below_1": _share(ratio < 1, ratio),
            "share_below_half": _share(ratio < tracking.TRACKS_BELOW, ratio),
            "share_below_half_held_out": _share(held_out < tracking.TRACKS_BELOW, held_out),
            "best": _best_filter(measures.ratio[chosen], np.flatnonzero(chosen), annotations),
        },
        "part_interpretability": _part_interpretability(measures.association[chosen]),
        "tracked_landmarks": {
            name: _share(followed == k, ratio) for k, name in enumerate(annotations.landmark_names)
        },
    }
    return summary


def _best_filter(ratio: np.ndarray, filters: np.ndarray, annotations: Annotations) -> dict[str, Any] | None:
    """Names the filter that follows a landmark most closely."""
    if np.isnan(ratio).all():
        return None
    row, k = np.unravel_index(np.nanargmin(ratio), ratio.shape)
    return {
        "filter": int(filters[row]),
        "landmark": annotations.landmark_names[k],
        "ratio": float(ratio[row, k]),
    }


def _part_interpretability(association: np.ndarray) -> float:
    """Averages P_f; a filter that was not measured covers no part."""
    if np.isnan(association).all():
        return np.nan
    return float(np.max(association, axis=1, initial=0.0, where=~np.isnan(association)).mean())


def _independent_parts(layer: LayerMeasures, filters: np.ndarray, images: np.ndarray) -> float:
    """Counts the parts that a category's tracking filters show on its images."""
    if np.isnan(layer.measures.ratio).all():
        return np.nan
    tracks = filters & layer.tracks
    return independent_parts(layer.places[images][:, tracks], layer.peaks.live[images][:, tracks])


def _averaged(values: list[float], images: list[int]) -> float:
    """Averages over categories, each as often as it has images."""
    present = [c for c, count in enumerate(images) if count]
    if not present:
        return np.nan
    return float(np.average([values[c] for c in present], weights=[images[c] for c in present]))


def _nan_last(value: float) -> tuple[bool, float]:
    return bool(np.isnan(value)), value


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.size(values) and not np.isnan(values).all() else np.nan


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if not np.isnan(values).all() else np.nan


def _share(chosen: np.ndarray, measured: np.ndarray) -> float:
    """Returns a share of all filters; NaN where none could be measured."""
    return float(chosen.mean()) if not np.isnan(measured).all() else np.nan
