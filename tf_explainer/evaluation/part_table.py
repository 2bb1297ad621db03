"""The yardsticks of parts as blocks of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_explainer.evaluation.table_layout import Form, aligned, entry, percent, places, with_bounds

LEGEND = {
    "PCK@0.1": "share of images on which the part peaks within a tenth of the crop of the landmark; part, "
    "filter and fixed point are chosen on even images and measured on odd ones",
    "R": "tracking, below, of the part that follows the landmark best",
    "instability, own landmark": "location instability, below, of parts against the landmark that suits each "
    "best, chosen on even images and measured on odd ones; the median over parts",
    "NMI, ARI": "whether the strongest part at a landmark tells its name: 100 always, 0 by chance (ARI)",
    "parts, rest only": "the other track at its mean over the images: what this one carries by itself",
    "outside the mask": "share of the interpretable track beyond the papers' mask of slope 4; p is "
    "comparable with the papers' only where it is 0",
    "evidence": "what is lost under a covered square: its distance from the peak, and how much more of it "
    "lies under the peak than under a random unit (1: no more)",
}
OF_LANDMARKS = frozenset({"PCK@0.1", "R", "NMI, ARI", "instability, own landmark"})
_LONGEST_NAME = 24


def part_blocks(metrics: Mapping[str, Any]) -> list[str]:
    """Lays out what parts say of landmarks, what the tracks carry, and what parts look at.

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
    """Lays the parts of several runs side by side; a run that was measured before they were has dashes.

    Args:
        runs: contents of `metrics.json`.
        distilled: names of the distilled layers.
    """
    landmarks = dict.fromkeys(name for run in runs for name in entry(run, ("parts", "landmarks")) or ())
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
    own, centre = (
        bounded(places(3), "own_instability"),
        places(3)(entry(parts, ("own_instability_fixed_centre",))),
    )
    return "\n".join(
        [
            aligned([heading, *rows]),
            f"NMI, ARI, %: {bounded(percent, 'nmi')}, {bounded(percent, 'ari')} {grid}",
            f"independent parts: {bounded(places(1), 'independent_parts')}",
            f"instability, own landmark: {own} (the middle of the crop: {centre})",
        ]
    )


def _names(parts: Sequence[str]) -> str:
    """Names the parts of the categories, as far as there is room."""
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
    for name, each in evidence.items():
        rows.append(_evidence_row(name, each))
        if "on_object" in each:
            rows.append(_evidence_row("  its parts on the object", each["on_object"]))
    return aligned(rows)


def _evidence_row(name: str, found: Mapping[str, Any]) -> list[str]:
    return [f"  {name}", places(1)(found["distance"]), places(1)(found["concentration"]), str(found["pairs"])]
