"""Makes a table of docs/results.md from the `metrics.json` of several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SHOWN = "conv_interp_2"
# Rows in which smaller values are better.
_SMALLER = ("error", "R,", "location", "outside", "evidence: units")

Row = tuple[str, float | None, int, dict[str, float | None]]
"""The name of a row, the explainer's figure, its number of digits, and other figures to compare it with."""


def table(runs: Sequence[Mapping[str, Any]], landmarks: Sequence[str], aims: Mapping[str, float]) -> str:
    """Returns means and standard deviations over seeds, as Markdown; a mean that reaches its aim is bold.

    Args:
        runs: the content of each seed's `metrics.json`.
        landmarks: landmarks with rows.
        aims: value to reach, by row.

    Raises:
        KeyError: an aim has no row.
    """
    by_seed = [list(_rows(run, landmarks)) for run in runs]
    if not by_seed:
        return ""
    if unknown := aims.keys() - {row[0] for row in by_seed[0]}:
        raise KeyError(f"no row for the aims {sorted(unknown)}")
    lines = ["| | to reach | explainer | for comparison |", "| --- | --- | --- | --- |"]
    for rows in zip(*by_seed, strict=True):
        label, _, digits, beside = rows[0]
        cell = _over_seeds([row[1] for row in rows], digits, _reaches(label, aims.get(label)))
        others = "; ".join(
            f"{name}: {_over_seeds([row[3][name] for row in rows], digits)}" for name in beside
        )
        lines.append(f"| {label} | {aims.get(label, '')} | {cell} | {others} |")
    return "\n".join(lines) + "\n"


def _rows(run: Mapping[str, Any], landmarks: Sequence[str]) -> Iterator[Row]:
    parts, tracks, fidelity = run["parts"], run["tracks"], run["fidelity"]
    shown, raw = run["layers"][_SHOWN], run["layers"]["performer"]
    for name in landmarks:
        of = parts["landmarks"][name]
        beside = {
            "a fixed point": _percent(of["pck_fixed_point"]),
            "performer": _percent(of["pck_performer"]),
        }
        yield f"PCK@0.1, %: {name}", _percent(of["pck"]), 0, beside
    for name in landmarks:
        yield f"R, best part: {name}", parts["landmarks"][name]["ratio"], 2, {}
    best = {part for name in landmarks for part in parts["landmarks"][name]["pck_part"]}
    yield "parts that are the best for a landmark", len(best), 0, {}
    yield "NMI, %", _percent(parts["nmi"]), 1, {"a fixed grid": _percent(parts["nmi_fixed_grid"])}
    yield "ARI, %", _percent(parts["ari"]), 1, {"a fixed grid": _percent(parts["ari_fixed_grid"])}
    yield "independent parts", parts["independent_parts"], 1, {"performer": raw["independent_parts"]}
    for layer, error in fidelity["relative_error"].items():
        alone = {name: tracks[f"{name}_only"]["relative_error"][layer] for name in ("parts", "rest")}
        yield f"error of {layer}, both tracks", error, 3, {f"{name} only": v for name, v in alone.items()}
    alone = {f"{name} only": _percent(tracks[f"{name}_only"]["agreement"]) for name in ("parts", "rest")}
    yield "agreement, %", _percent(fidelity["agreement"]), 1, alone
    outside = _percent(tracks["outside_mask"])
    yield "outside the papers' mask, %", outside, 1, {"p": run["part_share"]}
    evidence = run["evidence"] or {}
    of, of_raw = evidence.get(_SHOWN, {}), evidence.get("performer", {})
    distance = {"performer": of_raw.get("distance")}
    yield "evidence: units from the peak", of.get("distance"), 1, distance
    concentration = {"performer": of_raw.get("concentration")}
    yield "evidence: at the peak over anywhere", of.get("concentration"), 1, concentration
    of_object = of.get("on_object", {})
    yield "evidence, parts on the object: units from the peak", of_object.get("distance"), 1, {}
    yield "evidence, parts on the object: at the peak over anywhere", of_object.get("concentration"), 1, {}
    instability = {
        "a fixed centre": shown["fixed_centre_instability"],
        "performer": raw["location_instability"],
    }
    yield "location instability", shown["location_instability"], 3, instability
    centre = {"a fixed centre": parts.get("own_instability_fixed_centre")}
    yield "location instability, own landmark", parts.get("own_instability"), 3, centre


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _reaches(label: str, aim: float | None) -> Any:
    if aim is None:
        return lambda _: False
    if label.startswith(_SMALLER):
        return lambda mean: mean <= aim
    return lambda mean: mean >= aim


def _over_seeds(values: Sequence[float | None], digits: int, reaches: Any = lambda _: False) -> str:
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return "-"
    mean, spread = statistics.mean(known), statistics.stdev(known) if len(known) > 1 else 0.0
    cell = f"{mean:.{digits}f}"
    if reaches(round(mean, digits)):
        cell = f"**{cell}**"
    # Figures of the performer and of fixed points do not depend on the seed.
    return f"{cell} ± {spread:.{digits}f}" if spread > 1e-9 else cell
