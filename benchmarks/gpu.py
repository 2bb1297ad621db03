"""Measures a training step on a GPU: images and operations per second, and memory, by precision.

python -m benchmarks.gpu [--batch=20,160] [--rounds=30] [--xla]

Shapes are those of VGG-16's block5_conv3. Operations are counted by XLA if JAX is installed
(`make developer`), else by hand. Without a GPU it says so, and runs a tiny case on the CPU, which only shows
that the command works. Loss scaling, which float16 needs for learning, is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import tensorflow as tf

from benchmarks import child_process
from benchmarks.step_flops import step_flops
from benchmarks.training_parts import Batch, in_memory, random_batch, units_of, whole_step
from benchmarks.vgg_explainer import BATCH, SHAPE, UNITS

PRECISIONS = ("float32", "float16", "bfloat16")
_TINY_SHAPE, _TINY_UNITS, _TINY_BATCH = (6, 6, 16), {"fc1": 8, "fc2": 8}, 4


def rows(
    device: str,
    shape: tuple[int, ...],
    units: Mapping[str, int],
    batches: Sequence[int],
    rounds: int,
    xla: bool,
) -> Iterator[str]:
    """Yields a row of the table for each precision and batch size, once it is measured."""
    flops = operations(shape, units)
    for precision in PRECISIONS:
        for size in batches:
            seconds, peak = _measured(device, precision, random_batch(shape, units, size), rounds, xla)
            name = precision if precision == "float32" else f"mixed_{precision}"
            rate = size / seconds
            memory = "not known" if peak is None else f"{peak / 2**20:,.0f} MB"
            yield f"| {name} | {size} | {rate:,.0f} | {memory} | {rate * flops / 1e12:.3g} |"


def operations(shape: tuple[int, ...], units: Mapping[str, int]) -> float:
    """Returns the floating-point operations for one image in a step."""
    if importlib.util.find_spec("jax") is None:
        return sum(step_flops(shape, units).values())
    sizes = [] if shape == SHAPE else [shape[0], shape[2], next(iter(units.values())), _TINY_BATCH]
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    found = child_process.run("benchmarks.compiled_step", list(map(str, sizes)), environment=environment)
    return json.loads(found.output.splitlines()[-1])["flops"]


def _measured(device: str, precision: str, batch: Batch, rounds: int, xla: bool) -> tuple[float, int | None]:
    """Returns the seconds of a step, and the GPU's peak memory."""
    strategy = tf.distribute.OneDeviceStrategy(device)
    step = whole_step(strategy, batch["target"].shape[1:], units_of(batch), dtype=precision, xla=xla)
    data = in_memory(strategy, batch)
    batches = iter(data)
    step(next(batches), data.element_spec)  # Traced and compiled here.
    on_gpu = "GPU" in device
    if on_gpu:
        tf.config.experimental.reset_memory_stats(device)
    start = time.perf_counter()
    for _ in range(rounds):
        step(next(batches), data.element_spec)  # It ends when its figures are here.
    seconds = (time.perf_counter() - start) / rounds
    return seconds, tf.config.experimental.get_memory_info(device)["peak"] if on_gpu else None


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", default=f"{BATCH},{8 * BATCH}", help="images per step, comma-separated")
    parser.add_argument("--rounds", type=int, default=30, help="number of measured steps")
    parser.add_argument("--xla", action="store_true", help="compile the step by XLA")
    options = parser.parse_args()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.experimental.set_memory_growth(gpus[0], True)
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "a GPU")
        case = "GPU:0", SHAPE, UNITS, list(map(int, options.batch.split(","))), options.rounds
    else:
        name = "NO GPU HERE: a tiny case on the CPU, whose figures say nothing about a GPU"
        case = "CPU:0", _TINY_SHAPE, _TINY_UNITS, [_TINY_BATCH], 2
    sys.stdout.write(f"{name}\n\n| precision | batch | images/s | peak memory | TFLOP/s |\n{'| --- ' * 5}|\n")
    for row in rows(*case, xla=options.xla):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
