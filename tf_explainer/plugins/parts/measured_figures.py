"""Turns the measures of evaluation into figures of filters."""

from __future__ import annotations

import numpy as np

from tf_explainer.metrics import tracking
from tf_explainer.metrics.layer_measures import Annotations, LayerMeasures, mean_over_landmarks
from tf_explainer.plugins.parts.snapshot import Figure


def measured_figures(layer: LayerMeasures, annotations: Annotations) -> list[Figure]:
    """Returns category, tracking, instability and association; only the category if there are no landmarks.

    Args:
        layer: measures of the layer.
        annotations: categories and landmarks.
    """
    category = Figure(
        key="category",
        label="category",
        help="The class on which the filter's location instability is lowest.",
        values=np.where(layer.category < 0, np.nan, layer.category),
        kind="class",
    )
    if not annotations.landmark_names:
        return [category]
    measures = layer.measures
    lowest = Figure(
        key="ratio",
        label="tracking R",
        help="Movement of the peak relative to a landmark, divided by the landmark's movement; for the best "
        "landmark. 0: follows it exactly; 1: ignores the image; below 0.5: tracks it.",
        values=tracking.lowest(measures.ratio),
    )
    instability = Figure(
        key="instability",
        label="instability",
        unit="image diagonals",
        help="Location instability (ICNN), mean over landmarks. Low is stable; a fixed point is low, too.",
        values=mean_over_landmarks(measures.instability),
    )
    held_out = Figure(
        key="ratio_held_out",
        label="tracking R, held out",
        help="Tracking R on held-out images.",
        values=tracking.lowest(measures.ratio_held_out),
    )
    by_landmark = [
        figure
        for k, name in enumerate(annotations.landmark_names)
        for figure in (
            Figure(
                key=f"ratio_{k}",
                label=f"R, {name}",
                help=f"Tracking of the landmark {name}: 0 follows it exactly, 1 ignores the image.",
                values=measures.ratio[:, k],
            ),
            Figure(
                key=f"covers_{k}",
                label=f"covers {name}",
                unit="% of images",
                help=f"Images on which the filter's region covers {name} (IoU above 0.2).",
                values=100 * measures.association[:, k],
            ),
        )
    ]
    return [lowest, instability, category, held_out, *by_landmark]
