"""Runs what docs/results.md reports, and prints its table.

python -m benchmarks.results --data_dir=DATA --backbone_weights=WEIGHTS       (make results)

Every animal by itself against the negatives, with the defaults of configs/vgg.flags, by the commands that a
person types. What is done already is not done again: stop it, and run it again. Every option goes to the
commands.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.child_process import ROOT

ANIMALS = ("fox", "giant panda", "cat", "turtle")
SEEDS = (0, 1, 2)
_LAYER = "conv_interp_2"
_FLAGS = "--flagfile=configs/vgg.flags"
_MEASURES: dict[str, tuple[str, ...]] = {
    "location instability": ("layers", _LAYER, "location_instability"),
    "of a fixed centre": ("layers", _LAYER, "fixed_centre_instability"),
    "of permuted images": ("layers", _LAYER, "permuted_images", "location_instability"),
    "R, median": ("layers", _LAYER, "tracking", "median_ratio"),
    "R, median, all images": ("layers", _LAYER, "tracking", "median_ratio_all_images"),
    "filters with R < 0.5": ("layers", _LAYER, "tracking", "share_below_half"),
    "filters with R < 0.5, held out": ("layers", _LAYER, "tracking", "share_below_half_held_out"),
    "distinct parts": ("layers", _LAYER, "distinct_parts"),
    "independent parts": ("layers", _LAYER, "independent_parts"),
    "dead filters": ("layers", _LAYER, "dead_filters"),
    "rare filters": ("layers", _LAYER, "rare_filters"),
    "part share p": ("part_share",),
    "relative error of fc1": ("fidelity", "relative_error", "fc1"),
    "relative error of fc2": ("fidelity", "relative_error", "fc2"),
    "agreement": ("fidelity", "agreement"),
    "performer: location instability": ("layers", "performer", "location_instability"),
    "performer: R, median": ("layers", "performer", "tracking", "median_ratio"),
}


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
    lines = ["| | " + " | ".join(f"{animal} ({len(r)})" for animal, r in runs.items()) + " |"]
    lines.append("| --- |" + " --- |" * len(runs))
    for label, path in _MEASURES.items():
        cells = [_cell([_entry(run, path) for run in each]) for each in runs.values()]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _entry(values: Any, path: Sequence[str]) -> float:
    for name in path:
        values = values[name]
    return float("nan") if values is None else float(values)


def _cell(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


if __name__ == "__main__":
    main(sys.argv[1:])
