"""Measures feature extraction against the bare model, and prints the table of docs/performance.md.

python -m benchmarks.extraction            (make benchmark_extraction)

Every figure is a ratio between two processes, the median over repetitions that alternate between them. A
pipeline's rate is computed from the difference between a long and a short run, so that starting up and
loading the model drop out. Photographs and weights are those of a folder `shared` beside the project, if
there is one; else drawn pictures and random weights.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal

import keras
import tensorflow as tf

from benchmarks import child_process, photographs
from benchmarks.child_process import ROOT, Usage
from tf_explainer.config import PerformerConfig, PerformerTrainingConfig
from tf_explainer.features import schema
from tf_explainer.features.manifest import read_manifest
from tf_explainer.performer.backbones import build_backbone
from tf_explainer.performer.heads import attach_head

SHARED = ROOT.parent / "shared"
_MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """A performer to measure with."""

    config: PerformerConfig
    pooling: Literal["auto", "flatten", "average"]
    batch_size: int = 32

    def save(self, path: pathlib.Path) -> pathlib.Path:
        """Saves the network with an untrained head."""
        keras.utils.set_random_seed(0)
        head = PerformerTrainingConfig(head_pooling=self.pooling)
        attach_head(build_backbone(self.config), 2, head).save(path)
        return path


def _network(backbone: str, weights: str, target: str, **settings: Any) -> Network:
    file = SHARED / "weights" / weights
    config = PerformerConfig(
        backbone=backbone,
        backbone_weights=str(file) if file.exists() and "image_size" not in settings else "none",
        target_layer=target,
        **settings,
    )
    return Network(config=config, pooling="flatten" if backbone == "vgg16" else "average")


@dataclasses.dataclass(frozen=True)
class Rate:
    """Images per second of the clock and per second of CPU."""

    by_clock: float
    by_cpu: float

    @classmethod
    def of(cls, measured: dict[str, float]) -> Rate:
        """Returns the rate that a child process measured."""
        return cls(measured["images"] / measured["seconds"], measured["images"] / measured["cpu_seconds"])


def _compared(first: list[Rate], second: list[Rate]) -> str:
    pairs = list(zip(first, second, strict=True))
    by_clock = statistics.median(a.by_clock / b.by_clock for a, b in pairs)
    by_cpu = statistics.median(a.by_cpu / b.by_cpu for a, b in pairs)
    rates = [statistics.median(rate.by_clock for rate in rates) for rates in (first, second)]
    return f"{by_clock:.2f} ({rates[0]:.1f} / {rates[1]:.1f} images/s); by CPU time {by_cpu:.2f}"


class Extraction:
    """The real binary on folders of images."""

    def __init__(self, network: Network, directory: pathlib.Path, images: list[pathlib.Path]) -> None:
        self._network, self._directory, self._images = network, directory, images
        directory.mkdir()
        self.performer = network.save(directory / "performer.keras")

    def folder(self, count: int) -> str:
        """Returns a folder of `count` images."""
        path = self._directory / f"images-{count}"
        return str(path) if path.exists() else photographs.folder(path, self._images, count)

    def run(self, count: int, *options: str, cores: Collection[int] | None = None) -> Usage:
        """Extracts the features of `count` images."""
        config = self._network.config
        return child_process.run(
            "pipelines.extract_features",
            [
                "--dataset=folder",
                f"--data_dir={self.folder(count)}",
                f"--performer={self.performer}",
                f"--image_size={config.image_size}",
                f"--target_layer={config.target_layer}",
                f"--distilled_layers={','.join(config.distilled_layers)}",
                f"--extraction_batch_size={self._network.batch_size}",
                f"--workdir={self._directory}",
                f"--features_dir={self.features(count)}",
                "--overwrite",
                *options,
            ],
            cores,
        )

    def features(self, count: int) -> pathlib.Path:
        """Returns the directory for the features of `count` images."""
        return self._directory / f"features-{count}"

    def forget(self, count: int) -> None:
        """Removes the features of `count` images, so that they are computed again."""
        for path in self.features(count).glob("*"):
            path.unlink()

    def rate(self, few: int, many: int, *options: str, cores: Collection[int] | None = None) -> Rate:
        """Returns the rate of a run on `many` images without that of a run on `few`."""
        usages = []
        for count in (few, many):
            self.forget(count)
            usages.append(self.run(count, *options, cores=cores))
        short, long = usages
        return Rate(
            (many - few) / (long.seconds - short.seconds),
            (many - few) / (long.cpu_seconds - short.cpu_seconds),
        )

    def bare(self, count: int, *, decoded: bool) -> tuple[Rate, Usage]:
        """Returns the bare model's rate on `count` images, and the usage of its process."""
        config = self._network.config
        usage = child_process.run(
            "benchmarks.bare_model",
            [
                str(self.performer),
                str(config.image_size),
                config.target_layer,
                ",".join(config.distilled_layers),
                self.folder(count),
                str(self._network.batch_size),
                "decoded" if decoded else "encoded",
            ],
        )
        measured = json.loads(usage.output.splitlines()[-1])
        return Rate.of(measured), usage


def _ratio_to_bare(extraction: Extraction, few: int, many: int, repetitions: int, *, decoded: bool) -> str:
    pipeline, bare = [], []
    for _ in range(repetitions):
        # In one shard, so that the pipeline's batches are as large as the bare model's.
        pipeline.append(extraction.rate(few, many, "--num_shards=1"))
        bare.append(extraction.bare(many - few, decoded=decoded)[0])
    return _compared(pipeline, bare)


def _two_processes(extraction: Extraction, few: int, many: int, repetitions: int) -> str:
    two = ("--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    both, one = [], []
    for _ in range(repetitions):
        both.append(extraction.rate(few, many, *two, cores={0, 1}))
        one.append(extraction.rate(few, many, cores={0}))
    return _compared(both, one)


def _memory(extraction: Extraction, few: int, many: int) -> str:
    bare = extraction.bare(few, decoded=False)[1].peak_bytes
    peaks = [extraction.run(count).peak_bytes for count in (few, many)]
    over = [(peak - bare) / _MEGABYTE for peak in peaks]
    growth = peaks[1] / peaks[0] - 1
    return (
        f"{over[0]:.0f} MB over the bare model's {bare / _MEGABYTE:.0f} MB at {few} images, "
        f"{over[1]:.0f} MB at {many}: {100 * growth:+.1f} %"
    )


def _stored_bytes(features: pathlib.Path) -> str:
    manifest = read_manifest(str(features))
    stored = sum(shard.bytes for shard in manifest.shards)
    height, width, channels = manifest.target.shape
    units = height * width * channels + sum(layer.shape[-1] for layer in manifest.distilled)
    float32 = manifest.outputs * units * 4
    of_features = sum(_feature_bytes(str(features / shard.file)) for shard in manifest.shards)
    return f"{of_features / float32:.3f} of float32; {stored / float32:.3f} with everything, crops included"


def _feature_bytes(shard: str) -> int:
    """Returns the number of bytes of features in a shard's records."""
    fields = (
        (name, field.bytes_list.value)
        for record in tf.data.TFRecordDataset(shard).as_numpy_iterator()
        for name, field in tf.train.Example.FromString(record).features.feature.items()
    )
    return sum(sum(map(len, value)) for name, value in fields if name.startswith(schema.feature_key("")))


def _reading(extraction: Extraction, features: pathlib.Path, repetitions: int) -> str:
    rates: dict[str, list[Rate]] = {"reading": [], "training": []}
    for _ in range(repetitions):
        for what, cores in (("reading", {0}), ("training", None)):
            usage = child_process.run(
                "benchmarks.reading", [str(features), str(extraction.performer), what], cores
            )
            rates[what].append(Rate.of(json.loads(usage.output.splitlines()[-1])))
    return _compared(rates["reading"], rates["training"])


def _rows(
    directory: pathlib.Path, size: int, repetitions: int
) -> Iterator[tuple[str, str, Callable[[], str], str]]:
    """Yields the name of each row, its target, the function that measures it, and what limits it."""
    images = photographs.originals(
        directory / "drawn", SHARED / "datasets" / "interpretableCNN" / "data" / "neg"
    )
    vgg = Extraction(
        _network("vgg16", "vgg16_imagenet_notop.weights.h5", "block5_conv3"), directory / "vgg", images
    )
    mobile = Extraction(
        _network("mobilenet_v2", "mobilenet_v2_imagenet_notop.weights.h5", "block_13_expand_relu"),
        directory / "mobile",
        images,
    )
    small = Extraction(
        _network("mobilenet", "", "conv_pw_11_relu", image_size=64, backbone_alpha=0.25),
        directory / "small",
        images,
    )
    yield (
        "VGG-16, images/s of the pipeline / of the bare model on decoded images",
        ">= 0.95",
        lambda: _ratio_to_bare(vgg, size, 3 * size, repetitions, decoded=True),
        "decoding, encoding and writing, which run beside the network",
    )
    yield (
        "MobileNetV2, pipeline / bare, decoding on both sides",
        ">= 0.85",
        lambda: _ratio_to_bare(mobile, 4 * size, 12 * size, repetitions, decoded=False),
        "the same, beside a network that is three times as quick",
    )
    yield (
        "VGG-16, two processes / one process on one core",
        ">= 1.85",
        lambda: _two_processes(vgg, size, 3 * size, repetitions),
        "each process computes on a core of its own",
    )
    yield (
        "memory above the bare model's, 1,000 and 5,000 images",
        "< 600 MB, growth < 10 %",
        lambda: _memory(small, 1000, 5000),
        "images read ahead, and the names of all",
    )
    yield (
        "bytes stored of a VGG-16 image",
        "<= 0.06",
        lambda: _stored_bytes(vgg.features(3 * size)),
        "the high bytes of the values that are not 0, and the mask",
    )
    yield (
        "VGG-16, reading back on one core / a training step",
        ">= 10",
        lambda: _reading(vgg, vgg.features(3 * size), repetitions),
        "inflating, and putting values in their places",
    )


def main() -> None:
    """Measures row after row, and prints each immediately."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="number of VGG-16 images in a short run")
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each measurement")
    parser.add_argument("--only", default="", help="measure only rows that contain this text")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        real = "real" if SHARED.is_dir() else "random"
        sys.stdout.write(
            f"{os.cpu_count()} cores, {real} weights\n\n| | to reach | measured | what bounds it |\n"
            "| --- | --- | --- | --- |\n"
        )
        for name, target, measure, bound in _rows(directory, options.size, options.repetitions):
            if options.only in name:
                sys.stdout.write(f"| {name} | {target} | {measure()} | {bound} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
