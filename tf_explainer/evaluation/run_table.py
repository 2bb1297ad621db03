"""Lays out any number of runs as a table, with a row for each run and a column for each figure."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from tf_explainer.evaluation.table_layout import entry, names_at

_MISSING = "-"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of a run.

    Attributes:
        label: heading of the column.
        path: keys of the figure in `metrics.json`; `LAYER` stands for the last interpretable layer.
        places: number of decimal places in Markdown.
        error: whether the figure is one minus the value in the file.
    """

    label: str
    path: tuple[str, ...]
    places: int = 3
    error: bool = False

    def of(self, metrics: Mapping[str, Any]) -> float | None:
        """Returns the figure; None if the run lacks it."""
        path = [list(metrics["layers"])[-1] if name == "LAYER" else name for name in self.path]
        value = entry(metrics, path)
        if not isinstance(value, int | float):
            return None
        return 1 - value if self.error else value


_EXPLAINER = (
    Figure("part share p", ("part_share",)),
    Figure("energy of the parts", ("energy_share",)),
)
_FIDELITY = (
    Figure("agreement", ("fidelity", "agreement")),
    Figure("performer's error", ("fidelity", "performer_accuracy"), error=True),
    Figure("explainer's error", ("fidelity", "explainer_accuracy"), error=True),
)
_FILTERS = (
    Figure("performer's instability", ("layers", "performer", "location_instability")),
    Figure("instability", ("layers", "LAYER", "location_instability")),
    Figure("of a fixed centre", ("layers", "LAYER", "fixed_centre_instability")),
    Figure("R, median", ("layers", "LAYER", "tracking", "median_ratio"), 2),
    Figure("R < 0.5", ("layers", "LAYER", "tracking", "share_below_half")),
    Figure("part interpretability", ("layers", "LAYER", "part_interpretability")),
    Figure("dead filters", ("layers", "LAYER", "dead_filters")),
)
_PARTS = (
    Figure("parts", ("parts", "count"), 0),
    Figure("independent parts", ("parts", "independent_parts"), 2),
    Figure("NMI", ("parts", "nmi")),
    Figure("ARI", ("parts", "ari")),
)


def run_table(
    runs: Mapping[str, Mapping[str, Any] | None], layout: Literal["markdown", "csv"] = "markdown"
) -> str:
    """Lays out runs, sorted by network, data set and name.

    Args:
        runs: contents of `metrics.json` by name of the run; None if there are none: its row says `failed`.
        layout: `markdown` with rounded figures, or `csv` with all digits.

    Returns:
        Lines of text. Figures that no run has get no column; figures that a run lacks are `-`, or empty in
        CSV. Shares and errors are in [0, 1].
    """
    measured = [metrics for metrics in runs.values() if metrics is not None]
    figures = [
        each for each in _figures(measured) if any(each.of(metrics) is not None for metrics in measured)
    ]
    head = ["network", "data set", "run", *(figure.label for figure in figures)]
    rows = sorted(
        _row(name, metrics, figures, rounded=layout == "markdown") for name, metrics in runs.items()
    )
    return _markdown([head, *rows]) if layout == "markdown" else _csv([head, *rows])


def _figures(runs: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    yield from _EXPLAINER
    for name in names_at(runs, "fidelity", "relative_error"):
        yield Figure(f"error of {name}", ("fidelity", "relative_error", name))
    yield from _FIDELITY
    yield from _FILTERS
    yield from _PARTS
    for name in names_at(runs, "parts", "landmarks"):
        yield Figure(f"PCK of {name}", ("parts", "landmarks", name, "pck"))


def _row(
    name: str, metrics: Mapping[str, Any] | None, figures: Sequence[Figure], *, rounded: bool
) -> list[str]:
    missing = _MISSING if rounded else ""
    if metrics is None:
        return [missing, missing, f"{name} (failed)", *[missing] * len(figures)]
    run = metrics.get("run", {})  # Empty for runs of earlier versions.
    data = run.get("dataset") or ", ".join(metrics.get("categories", [])) or missing
    values = [(figure, figure.of(metrics)) for figure in figures]
    cells = [
        missing if value is None else f"{value:.{figure.places}f}" if rounded else repr(value)
        for figure, value in values
    ]
    return [run.get("network") or missing, data, name, *cells]


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *lines[1:]])


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n")
