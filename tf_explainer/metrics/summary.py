"""Summarises the measures of a layer for `metrics.json`: means and shares over its filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_explainer.metrics import tracking
from tf_explainer.metrics.diversity import independent_parts
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures, mean_over_landmarks
from tf_explainer.metrics.location_instability import fixed_centre_instability


def summarise(layer: LayerMeasures, annotations: Annotations) -> dict[str, Any]:
    """Summarises a layer and, with several categories, each category.

    Shares are of all filters of the layer (or category); filters that are dead or too rare to be measured
    count as following nothing. Means and medians are over the filters for which the measure is defined,
    except part interpretability, for which the other filters count as 0. The fixed centre, like any filter,
    belongs to the category in which it is best. Independent parts are averaged over images, with the filters
    of each image's category.

    Args:
        layer: measures of the layer.
        annotations: categories and landmarks.

    Returns:
        Plain values and dictionaries, NaN where there is nothing to measure; `left_out` lists the filters
        without measures.
    """
    count = len(annotations.categories)
    in_category = [layer.category == c for c in range(count)]
    images = [annotations.labels == c for c in range(count)]
    landmarks = annotations.landmarks[..., :2].astype(np.float64)
    centres = [_mean(fixed_centre_instability(landmarks[of_category])) for of_category in images]
    independent = [_independent_parts(layer, *pair) for pair in zip(in_category, images, strict=True)]
    counts = [int(of_category.sum()) for of_category in images]
    all_filters = np.ones(len(layer.category), bool)
    summary = (
        {"fixed_centre_instability": min(centres, key=_nan_last, default=np.nan)}
        | _of_filters(layer, all_filters, annotations)
        | {
            "independent_parts": float(np.average(independent, weights=counts)) if any(counts) else np.nan,
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
            name: {"images": counts[c], "share_of_filters": float(in_category[c].mean())}
            | {"fixed_centre_instability": centres[c], "independent_parts": independent[c]}
            | _of_filters(layer, in_category[c], annotations)
            for c, name in enumerate(annotations.categories)
        }
    return summary


def _of_filters(layer: LayerMeasures, filters: np.ndarray, annotations: Annotations) -> dict[str, Any]:
    """Summarises the measures of some filters."""
    measures = layer.measures
    ratio = tracking.lowest(measures.ratio[filters])
    held_out = tracking.lowest(measures.ratio_held_out[filters])
    followed = tracking.best_followed(measures.ratio[filters])
    return {
        "filters": int(filters.sum()),
        "location_instability": _mean(mean_over_landmarks(measures.instability[filters])),
        "tracking": {
            "median_ratio": _median(ratio),
            "median_ratio_all_images": _median(tracking.lowest(measures.ratio_all_images[filters])),
            "median_ratio_held_out": _median(held_out),
            "share_below_1": _share(ratio < 1, ratio),
            "share_below_half": _share(ratio < tracking.TRACKS_BELOW, ratio),
            "share_below_half_held_out": _share(held_out < tracking.TRACKS_BELOW, held_out),
            "best": _best_filter(measures.ratio[filters], np.flatnonzero(filters), annotations),
        },
        "part_interpretability": _part_interpretability(measures.association[filters]),
        "tracked_landmarks": {
            name: _share(followed == k, ratio) for k, name in enumerate(annotations.landmark_names)
        },
    }


def _best_filter(ratio: np.ndarray, filters: np.ndarray, annotations: Annotations) -> dict[str, Any] | None:
    """Returns the filter with the lowest tracking ratio, and its landmark; None if no ratio is defined."""
    if np.isnan(ratio).all():
        return None
    row, k = np.unravel_index(np.nanargmin(ratio), ratio.shape)
    return {
        "filter": int(filters[row]),
        "landmark": annotations.landmark_names[k],
        "ratio": float(ratio[row, k]),
    }


def _part_interpretability(association: np.ndarray) -> float:
    """Returns the mean of P_f over filters, where filters without a measure count as 0."""
    if np.isnan(association).all():
        return np.nan
    return float(np.max(association, axis=1, initial=0.0, where=~np.isnan(association)).mean())


def _independent_parts(layer: LayerMeasures, filters: np.ndarray, images: np.ndarray) -> float:
    """Counts the independent parts among a category's tracking filters, on its images."""
    if np.isnan(layer.measures.ratio).all():
        return np.nan
    tracks = filters & layer.tracks
    return independent_parts(layer.places[images][:, tracks], layer.peaks.live[images][:, tracks])


def _nan_last(value: float) -> tuple[bool, float]:
    return bool(np.isnan(value)), value


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.size(values) and not np.isnan(values).all() else np.nan


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if not np.isnan(values).all() else np.nan


def _share(condition: np.ndarray, measure: np.ndarray) -> float:
    """Returns the share of filters that meet a condition; NaN if the measure is defined for none."""
    return float(condition.mean()) if not np.isnan(measure).all() else np.nan
