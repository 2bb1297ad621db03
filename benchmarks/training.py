"""Measures a training step and its parts, and prints the table of docs/performance.md, "Training".

python -m benchmarks.training [ROUNDS]

Shapes are those of VGG-16's block5_conv3 with two dense layers of 512, in batches of 20; the synthetic
features are equally sparse. Values to compare are measured in turn in one process; medians over the rounds.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from benchmarks import child_process
from benchmarks.interleaving import Cost, costs, ratio
from benchmarks.synthetic_features import SIDE_OF_CROP, write_set
from benchmarks.training_parts import (
    bare_step,
    in_memory,
    interpretable_parts,
    plain_conv,
    random_batch,
    units_of,
    whole_step,
)
from benchmarks.vgg_explainer import BATCH, SHAPE, UNITS
from tf_explainer.config import DatasetConfig, TrainConfig
from tf_explainer.features import feature_coding
from tf_explainer.features.schema import MANIFEST
from tf_explainer.training.training_batches import TrainingBatches
from tf_explainer.training.training_step import TrainingStep

EPOCHS = 10
# For memory: fewer channels, so that 5,000 images are feasible.
SMALL_SHAPE, FEW, TIMES = (14, 14, 64), 500, 10


def _stepping(step: TrainingStep, batches: Iterator[Any], specification: Any) -> Any:
    return lambda: step(next(batches), specification)


def _from_shards(directory: pathlib.Path, strategy: tf.distribute.Strategy) -> TrainingBatches:
    return TrainingBatches(
        manifest=write_set(directory, SHAPE, UNITS, 8 * BATCH),
        features=str(directory),
        dataset=DatasetConfig(dataset="folder", folds=1000, held_out_fold=999),
        config=TrainConfig(batch_size=BATCH),
        strategy=strategy,
    )


def _endless(batches: TrainingBatches) -> Iterator[Any]:
    epoch = 0
    while True:
        epoch += 1
        yield from batches.read(batches.of_epoch(epoch))


def measured(rounds: int) -> dict[str, Cost]:
    """Returns all costs except memory, by name."""
    one = tf.distribute.OneDeviceStrategy("CPU:0")
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    batch = random_batch(SHAPE, UNITS, BATCH)
    memory, divided = in_memory(one, batch), in_memory(two, batch)
    step, on_two = (whole_step(strategy, SHAPE, units_of(batch)) for strategy in (one, two))
    performer = tf.function(keras.applications.VGG16(weights=None, include_top=False))
    pictures = tf.zeros((BATCH, SIDE_OF_CROP, SIDE_OF_CROP, 3))
    with tempfile.TemporaryDirectory() as directory:
        shards = _from_shards(pathlib.Path(directory), one)
        return costs(
            {
                "shards": _stepping(step, _endless(shards), memory.element_spec),
                "memory": _stepping(step, iter(memory), memory.element_spec),
                "bare": bare_step(batch),
                "two": _stepping(on_two, iter(divided), divided.element_spec),
                "parts": interpretable_parts(BATCH, SHAPE),
                "conv": plain_conv(BATCH, SHAPE),
                "performer": lambda: performer(pictures).numpy(),
                "encoding": lambda: [feature_coding.encode(image, "sparse") for image in batch["target"]],
            },
            rounds,
        )


def peaks() -> tuple[int, int]:
    """Returns the peak memory of an epoch over few and over many images, in bytes."""
    with tempfile.TemporaryDirectory() as directory:
        manifest = write_set(pathlib.Path(directory), SMALL_SHAPE, {"fc1": 64}, FEW)
        (pathlib.Path(directory) / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        few, many = (
            child_process.run("benchmarks.training_memory", [directory, str(times)]).peak_bytes
            for times in (1, TIMES)
        )
    return few, many


def _extracting_each_time(cost: Mapping[str, Cost]) -> str:
    """Returns how many times longer training takes if it runs the performer in every epoch."""

    def times(kind: str) -> float:
        seconds = {name: getattr(taken, kind) for name, taken in cost.items()}
        each_time = EPOCHS * (seconds["performer"] + seconds["memory"])
        return each_time / (seconds["performer"] + seconds["encoding"] + EPOCHS * seconds["shards"])

    return f"{times('clock'):.3f} by the clock, {times('cpu'):.3f} of the CPU"


def main(rounds: int) -> None:
    """Measures, and prints."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    cost = measured(rounds)
    few, many = peaks()
    rows = [
        (
            "from shards / from tensors in memory, images/s",
            ">= 0.97",
            ratio(cost["memory"], cost["shards"]),
            "decoding, which runs beside the step",
        ),
        (
            "step / bare convolutions, dense layers, optimizer",
            "<= 1.10",
            ratio(cost["memory"], cost["bare"]),
            "filter loss, mask and norm of two layers; the norms of the gradients",
        ),
        (
            "filter loss + mask + norm / plain conv, both ways",
            "<= 0.08",
            ratio(cost["parts"], cost["conv"]),
            "the products with the templates (0.05), and passes over their scores through memory",
        ),
        (
            "2 logical replicas / 1, same global batch",
            "<= 1.10",
            ratio(cost["two"], cost["memory"]),
            "smaller convolutions, sums over replicas, an update for each",
        ),
        (
            "extracting in each of 10 epochs / stored features",
            ">= 3",
            _extracting_each_time(cost),
            "the performer's share of the work: its pass takes as long as three to four steps",
        ),
        (
            "peak memory, 5,000 / 500 images",
            "< 1.05",
            f"{many / few:.3f} ({many / 2**20:.0f} MB)",
            "buffers of a shard",
        ),
    ]
    lines = ["| | to reach | measured | what bounds it |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", f"Seconds a batch of {BATCH}, by the clock / of the CPU:"]
    lines += [f"- {name}: {taken.clock:.3f} / {taken.cpu:.3f}" for name, taken in cost.items()]
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
