"""Lays out `metrics.json` as a table with a column for each layer, a row for each measure, and a legend."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tf_explainer.evaluation import part_table
from tf_explainer.evaluation.table_layout import Form, aligned, entry, names_at, percent, places, with_bounds

_WIDTH = 110
_LEGEND = part_table.LEGEND | {
    "location instability": "standard deviation of the distance from peak to landmark, in image diagonals; "
    "0 is best. The fixed centre is a filter that always points to the middle of the crop",
    "tracking R": "movement of the peak relative to a landmark, divided by the landmark's own movement: 0 "
    "moves with it, 1 ignores the image, above 1 moves on its own. On a filter's strongest images; on all "
    "images; on the stronger half of the held-out images",
    "follows ...": "filters with R < 0.5 for this landmark and a higher R for any other",
    "part interpretability": "share of a part's images on which a filter's strongest region covers it (IoU "
    "> 0.2)",
    "independent parts": "number of independently moving parts among filters with R < 0.5; a rigid "
    "constellation counts as 1",
    "dead, rare filters": "filters that respond to no image; to fewer than two annotated images",
    "part share p": "weight of the part features in the explainer's mix of features",
    "relative error": "squared error of the reconstructed features, divided by their squared norm",
    "permuted images": "chance level: the same filters against the landmarks of other images, where only the "
    "objects' typical position helps",
}

_OF_LANDMARKS = frozenset(_LEGEND) - (
    frozenset(part_table.LEGEND) - part_table.OF_LANDMARKS | {"part share p", "relative error"}
)
_NO_LANDMARKS = "These images have no landmarks: only the pictures show whether filters follow parts."


def table(metrics: Mapping[str, Any]) -> str:
    """Lays out the measures of a run for a terminal.

    Args:
        metrics: the content of `metrics.json`.

    Returns:
        Lines of text: measures of parts, then the papers' measures of filters. Without landmarks, measures
        that need them are left out.
    """
    layers, categories = metrics["layers"], metrics["categories"]
    what = f"{metrics['images']} images of " + (
        categories[0] if len(categories) == 1 else f"{len(categories)} categories"
    )
    intervals = metrics.get("intervals")
    bounds = [intervals["layers"][name] if intervals else None for name in layers]
    has_landmarks = any(layer["tracked_landmarks"] for layer in layers.values())
    rows = _layer_rows(list(layers.values()), bounds)
    if not has_landmarks:
        rows = [row for row in rows if set(row[1:]) != {"-"} and not row[0].startswith(" ")]
    blocks = [aligned([[what, *layers], *rows])]
    if not has_landmarks:
        blocks.append(_NO_LANDMARKS)
    elif len(categories) > 1:
        blocks.append(_category_block(layers, categories))
    left_out = frozenset() if has_landmarks else _OF_LANDMARKS
    if not metrics["evidence"]:
        left_out |= {"evidence"}
    explainer = aligned(_explainer_rows([metrics], list(metrics["fidelity"]["relative_error"])))
    if metrics["epoch_chosen_with_landmarks"]:
        explainer += f"\nits epoch was chosen with landmarks, by {metrics['epoch_chosen_by']}"
    return "\n\n".join([*part_table.part_blocks(metrics), *blocks, explainer, _legend(left_out)])


def comparison(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Lays out the last interpretable layers of several runs side by side.

    Args:
        runs: contents of `metrics.json` by name of the run.

    Returns:
        Lines of text.
    """
    measures = list(runs.values())
    last = [list(metrics["layers"])[-1] for metrics in measures]
    layers = [metrics["layers"][name] for metrics, name in zip(measures, last, strict=True)]
    paths = [("intervals", "layers", name) for name in last]
    bounds = [entry(metrics, path) for metrics, path in zip(measures, paths, strict=True)]
    landmarks = names_at(layers, "tracked_landmarks")
    distilled = names_at(measures, "fidelity", "relative_error")
    rows = [
        [" and ".join(dict.fromkeys(last)), *runs],
        *part_table.comparison_rows(measures, distilled),
        *_layer_rows(layers, bounds, landmarks),
        *_explainer_rows(measures, distilled),
    ]
    return aligned(rows)


def _layer_rows(
    layers: Sequence[Mapping[str, Any]],
    bounds: Sequence[Mapping[str, Any] | None],
    landmarks: Sequence[str] | None = None,
) -> list[list[str]]:
    row = functools.partial(_row, layers, bounds)
    return [
        row("filters", str, "filters"),
        row("location instability", places(3), "location_instability"),
        row("  of a fixed centre", places(3), "fixed_centre_instability"),
        row("  of permuted images", places(3), "permuted_images", "location_instability"),
        row("tracking R, median", places(2), "tracking", "median_ratio"),
        row("  all images", places(2), "tracking", "median_ratio_all_images"),
        row("  held-out images", places(2), "tracking", "median_ratio_held_out"),
        row("  of permuted images", places(2), "permuted_images", "median_ratio"),
        row("  best filter", places(2), "tracking", "best", "ratio"),
        row("filters with R < 1, %", percent, "tracking", "share_below_1"),
        row("filters with R < 0.5, %", percent, "tracking", "share_below_half"),
        row("  held-out images, %", percent, "tracking", "share_below_half_held_out"),
        *(
            row(f"  follows {name}, %", percent, "tracked_landmarks", name)
            for name in landmarks or layers[0]["tracked_landmarks"]
        ),
        row("part interpretability, %", percent, "part_interpretability"),
        row("independent parts", places(1), "independent_parts"),
        row("dead filters, %", percent, "dead_filters"),
        row("rare filters, %", percent, "rare_filters"),
    ]


def _category_block(layers: Mapping[str, Any], categories: Sequence[str]) -> str:
    """Compares the performer and the last interpretable layer in each category."""
    first, last = next(iter(layers)), list(layers)[-1]
    columns: list[tuple[str, str, Form, tuple[str, ...]]] = [
        ("images", last, str, ("images",)),
        ("filters, %", last, percent, ("share_of_filters",)),
        ("R < 0.5, %", last, percent, ("tracking", "share_below_half")),
        ("R, median", last, places(2), ("tracking", "median_ratio")),
        (first, first, places(3), ("location_instability",)),
        (last, last, places(3), ("location_instability",)),
        ("fixed centre", last, places(3), ("fixed_centre_instability",)),
    ]
    rows = [[f"{last} by category", *(label for label, *_ in columns)]]
    for name in categories:
        rows.append(
            [
                f"  {name}",
                *(form(entry(layers[layer]["categories"][name], path)) for _, layer, form, path in columns),
            ]
        )
    return aligned(rows) + "\n  (last three columns: location instability)"


def _explainer_rows(runs: Sequence[Mapping[str, Any]], distilled: Sequence[str]) -> list[list[str]]:
    row = functools.partial(_row, runs, [metrics.get("intervals") for metrics in runs])
    return [
        row("part share p", places(3), "part_share"),
        row("  of the energy", places(3), "energy_share"),
        *(
            row(f"relative error of {name}", places(3), "fidelity", "relative_error", name)
            for name in distilled
        ),
        row("performer's accuracy, %", percent, "fidelity", "performer_accuracy"),
        row("explainer's accuracy, %", percent, "fidelity", "explainer_accuracy"),
        row("agreement, %", percent, "fidelity", "agreement"),
        row("  images", str, "fidelity", "images"),
    ]


def _row(columns: Sequence[Any], bounds: Sequence[Any], label: str, form: Form, *path: str) -> list[str]:
    """Returns a row of the figures at a path in all columns, with their intervals."""
    cells = zip(columns, bounds, strict=True)
    return [label, *(with_bounds(form, entry(column, path), entry(b, path)) for column, b in cells)]


def _legend(left_out: frozenset[str]) -> str:
    width = max(map(len, _LEGEND)) + 2
    lines = []
    for word, meaning in _LEGEND.items():
        if word in left_out:
            continue
        text = textwrap.wrap(meaning, _WIDTH - width)
        lines += [
            f"{head:{width}}{line}" for head, line in zip([word, *[""] * len(text)], text, strict=False)
        ]
    return "\n".join(lines)
