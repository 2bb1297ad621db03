"""Runs what docs/results.md reports, and prints its table.

python -m benchmarks.results --data_dir=DATA --backbone_weights=WEIGHTS       (make results)

Every animal by itself against the negatives, with the defaults of configs/vgg.flags, by the commands that a
person types. What is done already is not done again: stop it, and run it again. Every option goes to the
commands. Means and standard deviations over seeds; bold where the mean reaches what is aimed at.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.child_process import ROOT

ANIMALS = ("fox", "giant panda", "cat", "turtle")
SEEDS = (0, 1, 2)
_LAYER = "conv_interp_2"
_FLAGS = "--flagfile=configs/vgg.flags"
# Of the published interpretable network, by animal.
_PUBLISHED = dict(zip(ANIMALS, (0.069, 0.063, 0.086, 0.115), strict=True))


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: what it is called, where metrics.json has it, and what is to be reached."""

    label: str
    path: tuple[str, ...]
    digits: int
    aim: str = ""
    reached: Callable[[str, float], bool] = lambda _animal, _mean: False
    percent: bool = False


def _rows() -> list[Row]:
    layer, fidelity = ("layers", _LAYER), ("fidelity",)
    tracking, raw = (*layer, "tracking"), ("layers", "performer")
    return [
        Row("location instability", (*layer, "location_instability"), 3,
            "the published: " + " / ".join(f"{v:.3f}" for v in _PUBLISHED.values()),
            lambda animal, mean: round(mean, 3) <= _PUBLISHED[animal]),
        Row("&emsp;of a filter fixed at the centre", (*layer, "fixed_centre_instability"), 3),
        Row("&emsp;against permuted images", (*layer, "permuted_images", "location_instability"), 3),
        Row("tracking R, median", (*tracking, "median_ratio"), 2, "0.25", lambda _, mean: mean <= 0.25),
        Row("&emsp;over all annotated images", (*tracking, "median_ratio_all_images"), 2, "0.50",
            lambda _, mean: mean <= 0.5),
        Row("filters with R < 0.5, %", (*tracking, "share_below_half"), 1, "85",
            lambda _, mean: mean >= 85, percent=True),
        Row("&emsp;on held-out images, %", (*tracking, "share_below_half_held_out"), 1, "70",
            lambda _, mean: mean >= 70, percent=True),
        Row("independent parts", (*layer, "independent_parts"), 2, "2", lambda _, mean: mean >= 2),
        Row("dead filters, %", (*layer, "dead_filters"), 1, "2", lambda _, mean: mean <= 2, percent=True),
        Row("rare filters, %", (*layer, "rare_filters"), 1, "2", lambda _, mean: mean <= 2, percent=True),
        Row("part share p", ("part_share",), 3, "0.85", lambda _, mean: mean >= 0.85),
        Row("relative error of fc1", (*fidelity, "relative_error", "fc1"), 3, "0.27",
            lambda _, mean: mean <= 0.27),
        Row("relative error of fc2", (*fidelity, "relative_error", "fc2"), 3, "0.19",
            lambda _, mean: mean <= 0.19),
        Row("agreement, held-out images, %", (*fidelity, "agreement"), 1, "97",
            lambda _, mean: mean >= 97, percent=True),
        Row("the performer's filters: location instability", (*raw, "location_instability"), 3),
        Row("&emsp;tracking R, median", (*raw, "tracking", "median_ratio"), 2),
        Row("&emsp;filters with R < 0.5, %", (*raw, "tracking", "share_below_half"), 1, percent=True),
        Row("&emsp;independent parts", (*raw, "independent_parts"), 2),
    ]  # fmt: skip


def main(options: Sequence[str]) -> None:
    """Runs what is not done, and prints the means over the seeds that are."""
    directory = ROOT / "runs" / "results"
    for seed in SEEDS:
        for animal in ANIMALS:
            _run(directory / animal.replace(" ", "_"), animal, seed, options)
            print(_table(directory), flush=True)  # noqa: T201


def _run(directory: pathlib.Path, animal: str, seed: int, options: Sequence[str]) -> None:
    """Runs the chain for an animal: performer and features once, explainer and measures for every seed."""
    common = [_FLAGS, *options, f"--categories={animal}"]
    once = [*common, f"--workdir={directory}"]
    if not (directory / "performer.json").exists():
        _step("tf_explainer.train_performer", once)
    _step("pipelines.extract_features", once)
    workdir = directory / f"seed-{seed}"
    again = [
        *common,
        f"--workdir={workdir}",
        f"--performer={directory / 'performer.keras'}",
        f"--features_dir={directory / 'features'}",
        f"--seed={seed}",
    ]
    for module, result in (("train", "explainer.keras"), ("evaluate", "metrics.json")):
        if not (workdir / result).exists():
            _step(f"tf_explainer.{module}", again)


def _step(module: str, arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True)


def _table(directory: pathlib.Path) -> str:
    runs: dict[str, list[dict[str, Any]]] = {}
    for animal in ANIMALS:
        found = sorted((directory / animal.replace(" ", "_")).glob("seed-*/metrics.json"))
        if found:
            runs[animal] = [json.loads(path.read_text(encoding="utf-8")) for path in found]
    lines = ["| | to reach | " + " | ".join(f"{animal} ({len(r)})" for animal, r in runs.items()) + " |"]
    lines.append("| --- | --- |" + " --- |" * len(runs))
    for row in _rows():
        cells = [_cell(row, animal, each) for animal, each in runs.items()]
        lines.append(f"| {row.label} | {row.aim} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _entry(values: Any, path: Sequence[str]) -> float:
    for name in path:
        values = values[name]
    return float("nan") if values is None else float(values)


def _cell(row: Row, animal: str, runs: Sequence[dict[str, Any]]) -> str:
    values = [_entry(run, row.path) * (100 if row.percent else 1) for run in runs]
    mean, spread = statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    cell = f"{mean:.{row.digits}f}"
    if row.reached(animal, mean):
        cell = f"**{cell}**"
    # The performer and what is fixed do not depend on the seed.
    return f"{cell} ± {spread:.{row.digits}f}" if spread > 1e-9 else cell


if __name__ == "__main__":
    main(sys.argv[1:])
