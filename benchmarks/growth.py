"""Measures how a training step grows with filters, map sides and categories; docs/performance.md, "Growth".

python -m benchmarks.growth [--picture=docs/growth.svg] [--images 1000=2.7 10000=15.3 ...]

Measures seconds of CPU per image, on one core, in a process for each point, as medians of a few steps: the
entire step, one convolution, and filter loss, mask and norm of one layer, each forward and backward.
`--images` adds the seconds of extractions, by number of images, as measured by `benchmarks.scale`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from benchmarks import child_process
from benchmarks.interleaving import costs
from benchmarks.log_plot import Panel, drawing
from benchmarks.training_parts import in_memory, interpretable_parts, plain_conv, random_batch, whole_step

UNITS, BATCH = {"fc1": 512, "fc2": 512}, 8
# Long steps vary little.
ROUNDS, ROUNDS_OF_LARGE, LARGE = 9, 3, 512
# Side, filters, classes (0: filters have no categories).
AXES: Mapping[str, Sequence[tuple[int, int, int]]] = {
    "filters": [(14, filters, 0) for filters in (64, 128, 256, 512, 1024, 2048)],
    "map side": [(side, 64, 0) for side in (7, 14, 28, 56)],
    "categories": [(14, 512, classes) for classes in (1, 10, 100)],
}
STEP, CONV, PARTS = "step", "convolution", "loss, mask, norm"
IMAGES, EXTRACTION = "images", "extraction"

Point = tuple[float, Mapping[str, float]]
"""The growing value, and seconds of CPU by what was measured."""


def measured(side: int, filters: int, classes: int) -> dict[str, float]:
    """Returns the seconds of CPU an image of a step and of its parts."""
    shape = (side, side, filters)
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    batch = random_batch(shape, UNITS, BATCH, classes or None)
    data = in_memory(one, batch)
    batches, step = iter(data), whole_step(one, shape, UNITS, classes=classes or None)
    taken = costs(
        {
            STEP: lambda: step(next(batches), data.element_spec),
            CONV: plain_conv(BATCH, shape),
            PARTS: interpretable_parts(BATCH, shape),
        },
        ROUNDS_OF_LARGE if filters > LARGE else ROUNDS,
    )
    return {name: cost.cpu / BATCH for name, cost in taken.items()}


def points(axis: str) -> Iterator[Point]:
    """Yields the points of an axis, each measured in its own process."""
    core = {min(os.sched_getaffinity(0))}
    for side, filters, classes in AXES[axis]:
        grows = {"filters": filters, "map side": side, "categories": classes}[axis]
        child = child_process.run(
            "benchmarks.growth", ["--child", str(side), str(filters), str(classes)], core
        )
        yield grows, json.loads(child.output.splitlines()[-1])


def image_points(given: Sequence[str]) -> Iterator[Point]:
    """Yields images and seconds of CPU, given as COUNT=SECONDS."""
    for text in given:
        count, _, seconds = text.partition("=")
        yield int(count), {EXTRACTION: float(seconds)}


def exponents(taken: Sequence[Point]) -> Iterator[dict[str, float | None]]:
    """Yields for each point the powers by which times have grown since the previous point; None at first."""
    yield dict.fromkeys(taken[0][1])
    for (few, before), (many, after) in itertools.pairwise(taken):
        yield {name: math.log(after[name] / before[name]) / math.log(many / few) for name in after}


def table(axis: str, taken: Sequence[Point]) -> Iterator[str]:
    """Yields the lines of the table of an axis."""
    names, milliseconds = list(taken[0][1]), axis != IMAGES
    unit = "ms of CPU an image" if milliseconds else "s of CPU"
    yield f"| {axis} | {' | '.join(f'{name}, {unit} | grows as' for name in names)} |\n"
    yield f"{'| ---: ' * (1 + 2 * len(names))}|\n"
    for (grows, seconds), powers in zip(taken, exponents(taken), strict=True):
        cells = [f"{grows:,}"]
        for name in names:
            power = powers[name]
            cells.append(f"{1000 * seconds[name]:.2f}" if milliseconds else f"{seconds[name]:.1f}")
            cells.append("" if power is None else f"n^{power:.2f}")
        yield f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Measures, prints and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=pathlib.Path, default=pathlib.Path("docs/growth.svg"))
    parser.add_argument(
        "--images",
        nargs="*",
        default=[],
        metavar="COUNT=SECONDS",
        help="seconds of extractions, to draw the picture",
    )
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        sys.stdout.write(json.dumps(measured(*options.child)) + "\n")
        return
    axes = {axis: points(axis) for axis in AXES}
    if options.images:
        axes[IMAGES] = image_points(options.images)
    panels = []
    for axis, measurements in axes.items():
        taken = list(measurements)
        sys.stdout.write("".join(["\n", *table(axis, taken)]))
        sys.stdout.flush()
        unit = "seconds of CPU" + ("" if axis == IMAGES else " an image")
        series = {name: [seconds[name] for _, seconds in taken] for name in taken[0][1]}
        panels.append(Panel(title=f"{axis} and {unit}", x=[grows for grows, _ in taken], series=series))
    if options.images:
        options.picture.write_text(drawing(panels), encoding="utf-8")
    else:
        sys.stdout.write(f"\n{options.picture} is unchanged: to draw it, give --images COUNT=SECONDS ...\n")


if __name__ == "__main__":
    main()
