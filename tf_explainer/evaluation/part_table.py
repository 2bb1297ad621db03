"""Lays out the measures of parts as blocks of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_explainer.evaluation.table_layout import Form, aligned, entry, names_at, percent, places, with_bounds

LEGEND = {
    "PCK@0.1": "share of images on which the part peaks within a tenth of the crop's side of the landmark; "
    "part, filter and fixed point are chosen on even images and measured on odd ones",
    "R": "tracking ratio (see below) of the part that follows the landmark best",
    "instability, own landmark": "location instability (see below) of each part against the landmark that "
    "suits it best, chosen on even images and measured on odd ones; median over parts",
    "NMI, ARI": "how well the strongest part at a landmark predicts the landmark's name: 100 always, 0 by "
    "chance (ARI)",
    "parts, rest only": "fidelity of one track alone, with the other replaced by its mean over the images",
    "outside the mask": "share of the interpretable track outside the papers' mask of slope 4; p is "
    "comparable with the papers' only if this is 0",
    "evidence": "response that is lost when a square is covered: its distance from the peak, and how much "
    "more of it is lost at the peak than at a random unit (1: no more)",
}
OF_LANDMARKS = frozenset({"PCK@0.1", "R", "NMI, ARI", "instability, own landmark"})
_LONGEST_NAME = 24


def part_blocks(metrics: Mapping[str, Any]) -> list[str]:
    """Lays out the measures of landmarks, tracks and evidence.

    Args:
        metrics: the content of `metrics.json`.
    """
    blocks = []
    if metrics["parts"]["landmarks"]:
        blocks.append(_landmark_block(metrics["parts"], entry(metrics.get("intervals"), ("parts",))))
    blocks.append(_track_block(metrics))
    if metrics["evidence"]:
        blocks.append(_evidence_block(metrics["evidence"]))
    return blocks


def comparison_rows(runs: Sequence[Mapping[str, Any]], distilled: Sequence[str]) -> list[list[str]]:
    """Lays out the measures of parts of several runs side by side; measures that a run lacks are dashes.

    Args:
        runs: contents of `metrics.json`.
        distilled: names of the distilled layers.
    """
    landmarks = names_at(runs, "parts", "landmarks")
    rows: list[tuple[str, Callable[[Any], str], tuple[str, ...]]] = [("parts", str, ("parts", "count"))]
    rows += [(f"PCK@0.1 {name}, %", percent, ("parts", "landmarks", name, "pck")) for name in landmarks]
    rows += [(f"R {name}", places(2), ("parts", "landmarks", name, "ratio")) for name in landmarks]
    rows += [
        ("NMI", percent, ("parts", "nmi")),
        ("ARI", percent, ("parts", "ari")),
        ("independent parts", places(1), ("parts", "independent_parts")),
        ("instability, own landmark", places(3), ("parts", "own_instability")),
    ]
    for track, label in (("parts_only", "parts only"), ("rest_only", "rest only")):
        rows += [
            (f"error of {name}, {label}", places(3), ("tracks", track, "relative_error", name))
            for name in distilled
        ]
        rows.append((f"agreement, {label}, %", percent, ("tracks", track, "agreement")))
    rows += [
        ("outside the mask, %", percent, ("tracks", "outside_mask")),
        ("epoch chosen by", str, ("epoch_chosen_by",)),
    ]
    return [
        [label, *("-" if entry(run, path) is None else form(entry(run, path)) for run in runs)]
        for label, form, path in rows
    ]


def _landmark_block(parts: Mapping[str, Any], intervals: Mapping[str, Any] | None) -> str:
    def bounded(form: Form, *path: str) -> str:
        return with_bounds(form, entry(parts, path), entry(intervals, path))

    count = f"{parts['count']} part{'' if parts['count'] == 1 else 's'}"
    heading = [f"{count}: PCK@0.1, %", "best part", "", "fixed point", "performer", "R", ""]
    rows = [
        [
            f"  {name}",
            bounded(percent, "landmarks", name, "pck"),
            _names(landmark["pck_part"]),
            percent(landmark["pck_fixed_point"]),
            percent(landmark["pck_performer"]),
            bounded(places(2), "landmarks", name, "ratio"),
            _names(landmark["ratio_part"]),
        ]
        for name, landmark in parts["landmarks"].items()
    ]
    grid = f"(a fixed grid: {percent(parts['nmi_fixed_grid'])}, {percent(parts['ari_fixed_grid'])})"
    own = bounded(places(3), "own_instability")
    centre = places(3)(parts.get("own_instability_fixed_centre"))
    return "\n".join(
        [
            aligned([heading, *rows]),
            f"NMI, ARI, %: {bounded(percent, 'nmi')}, {bounded(percent, 'ari')} {grid}",
            f"independent parts: {bounded(places(1), 'independent_parts')}",
            f"instability, own landmark: {own} (the middle of the crop: {centre})",
        ]
    )


def _names(parts: Sequence[str]) -> str:
    """Lists the names of the categories' best parts, shortened if they are too long."""
    text = ", ".join(dict.fromkeys(parts))
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."


def _track_block(metrics: Mapping[str, Any]) -> str:
    columns = [metrics["fidelity"], metrics["tracks"]["parts_only"], metrics["tracks"]["rest_only"]]
    rows = [["what the tracks carry", "both", "parts only", "rest only"]]
    rows += [
        [f"  relative error of {name}", *(places(3)(each["relative_error"][name]) for each in columns)]
        for name in metrics["fidelity"]["relative_error"]
    ]
    rows.append(["  agreement, %", *(percent(each["agreement"]) for each in columns)])
    outside = f"outside the mask: {percent(metrics['tracks']['outside_mask'])} % of the parts' track"
    return f"{aligned(rows)}\n{outside}"


def _evidence_block(evidence: Mapping[str, Any]) -> str:
    rows = [["evidence", "units from the peak", "at the peak over anywhere", "parts on images"]]
    for name, figures in evidence.items():
        rows.append(_evidence_row(name, figures))
        if "on_object" in figures:
            rows.append(_evidence_row("  its parts on the object", figures["on_object"]))
    return aligned(rows)


def _evidence_row(name: str, figures: Mapping[str, Any]) -> list[str]:
    values = (places(1)(figures[key]) for key in ("distance", "concentration"))
    return [f"  {name}", *values, str(figures["pairs"])]
