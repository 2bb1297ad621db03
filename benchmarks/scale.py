"""Measures how an extraction grows with the number of images, with noise as images and a very small network.

python -m benchmarks.scale 1000 10000 100000         (make benchmark_scale)
python -m benchmarks.scale --flink 1000 10000 100000
python -m benchmarks.scale --killed 100000

The network and the pictures cost next to nothing, so everything else is measured: Beam's runner, references,
shards, sidecars, manifest. Each number of images is measured in its own process. The runner is Beam's in one
process; with `--flink` it is Flink, whose engine is a separate Java process (`make flink` first). `--killed`
kills the process when nine tenths of the shards exist, and prints what the next run recomputes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator

import apache_beam as beam
import keras
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks import child_process
from pipelines.extraction import counters
from pipelines.extraction.feature_extraction import ExtractFeatures, plan
from pipelines.feature_set import feature_set
from tf_explainer.config import DatasetConfig, ExtractionConfig, PerformerConfig, WorkDir
from tf_explainer.datasets.source import HashedShards, ReadResult
from tf_explainer.images.record import ImageRecord, ImageReference
from tf_explainer.performer.performer import load_performer

_SIZE = 8
_KILLED_AT = 0.9
_LOOKS_EVERY = 0.05
_JOB_SERVER = child_process.ROOT / "build" / "flink_job_server" / "flink-job-server.jar"
_RUNNERS = {
    "in_process": ("--runner=FnApiRunner",),
    "flink": (
        "--runner=FlinkRunner",
        f"--flink_job_server_jar={_JOB_SERVER}",
        "--parallelism=2",
        # Its workers are threads of this process.
        "--environment_type=LOOPBACK",
    ),
}
_HEADER = (
    *("images", "shards", "s", "s of CPU", "peak memory, MB", "engine's, MB", "manifest, bytes"),
    *("ms of CPU an image more", "bytes of memory an image more"),
)


@dataclasses.dataclass(frozen=True)
class Noise(HashedShards):
    """`count` images of two classes, each drawn when it is read."""

    count: int
    classes: tuple[str, ...] = ("even", "odd")
    all_classes: tuple[str, ...] = ("even", "odd")
    negative_class: str | None = None
    landmark_names: tuple[str, ...] = ()

    def references(self) -> Iterator[ImageReference]:
        """Yields names as long as those of photographs in a bucket."""
        for number in range(self.count):
            name = f"{self.classes[number % 2]}/photograph_{number:012d}.jpg"
            yield ImageReference(id=name, label=number % 2, location=f"gs://a-bucket/photographs/{name}")

    def read(self, references: Iterable[ImageReference]) -> Iterator[ReadResult]:
        """Yields noise."""
        for reference in references:
            seed = int(reference.id[-16:-4])
            pixels = np.random.default_rng(seed).integers(0, 256, (_SIZE, _SIZE, 3), np.uint8)
            yield reference, ImageRecord(reference=reference, image=pixels)


def _performer(folder: pathlib.Path) -> PerformerConfig:
    keras.utils.set_random_seed(0)
    image = keras.Input((_SIZE, _SIZE, 3))
    x = keras.layers.Conv2D(4, 4, strides=2, activation="relu", name="conv")(image)
    x = keras.layers.Dense(4, activation="relu", name="fc1")(keras.layers.Flatten()(x))
    file = str(folder / "performer.keras")
    keras.Model(image, keras.layers.Dense(2, activation="softmax")(x)).save(file)
    return PerformerConfig(performer=file, image_size=_SIZE, target_layer="conv", distilled_layers=("fc1",))


def extract(count: int, folder: pathlib.Path, runner: str) -> None:
    """Extracts, or continues a killed extraction, and prints its cost as JSON, without the imports."""
    performer = load_performer(_performer(folder), WorkDir(root=str(folder)))
    features = str(folder / "features")
    start, cpu = time.perf_counter(), time.process_time()
    dataset = DatasetConfig(dataset="noise", num_images=count)
    extraction = plan(Noise(count), dataset, performer, ExtractionConfig(), features)
    feature_set.claim(features, extraction.configuration, overwrite=False)
    pipeline = beam.Pipeline(options=PipelineOptions(_RUNNERS[runner]))
    _ = pipeline | ExtractFeatures(extraction)
    result = pipeline.run()
    result.wait_until_finish()
    manifest = feature_set.find_whole(features)
    assert manifest is not None
    assert manifest.outputs == count
    engine_seconds, engine_bytes = _children()
    measured = {
        "images": count,
        "read": counters.totals(result).get("read", 0),
        "shards": len(manifest.shards),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu + engine_seconds,
        "engine_bytes": engine_bytes,
        "manifest_bytes": (folder / "features" / "manifest.json").stat().st_size,
    }
    sys.stdout.write(json.dumps(measured) + "\n")


def _children() -> tuple[float, int]:
    """Returns CPU seconds of this process's children, and the largest peak memory of one in bytes."""
    seconds, peak = 0.0, 0
    threads = pathlib.Path("/proc/self/task").glob("*/children")
    for child in " ".join(each.read_text() for each in threads).split():
        # The name, in brackets, may hold spaces; user and system time are the 12th and 13th field after it.
        fields = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if found := re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{child}/status").read_text()):
            peak = max(peak, 1024 * int(found[1]))
    return seconds, peak


def main(counts: Iterable[int], runner: str) -> None:
    """Prints a row for each number of images."""
    sys.stdout.write(f"| {' | '.join(_HEADER)} |\n{'| --- ' * len(_HEADER)}|\n")
    before: dict[str, float] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            usage = child_process.run("benchmarks.scale", ["--child", runner, str(count), folder])
        now = json.loads(usage.output.splitlines()[-1]) | {"peak_bytes": usage.peak_bytes}
        sys.stdout.write(f"| {' | '.join(_row(now, before))} |\n")
        sys.stdout.flush()
        before = now


def killed(count: int) -> None:
    """Kills an extraction near its end, runs it again, and prints what the second run read."""
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        features = folder / "features"
        command = [sys.executable, "-m", "benchmarks.scale", "--child", "in_process", str(count), str(folder)]
        first = subprocess.Popen(command, cwd=child_process.ROOT, stdout=subprocess.DEVNULL)
        while first.poll() is None and _share_of_shards(features) < _KILLED_AT:
            time.sleep(_LOOKS_EVERY)
        first.kill()
        if first.wait() == 0:
            raise RuntimeError(f"{count} images were extracted before they could be killed: name more")
        there = [json.loads(path.read_text()) for path in _sidecars(features)]
        again = child_process.run("benchmarks.scale", command[3:])
    images = sum(sum(each["labels"].values()) for each in there)
    measured = json.loads(again.output.splitlines()[-1])
    sys.stdout.write(
        f"{count:,} images: killed when {len(there):,} of {measured['shards']:,} shards were there, with "
        f"{images:,} images; the next run read {measured['read']:,} and took "
        f"{measured['cpu_seconds']:.1f} s of CPU\n"
    )


def _sidecars(features: pathlib.Path) -> list[pathlib.Path]:
    return list(features.glob("features-*.tfrecord.json"))


def _share_of_shards(features: pathlib.Path) -> float:
    """Returns the share of the shards that exist; their names contain the number of all shards."""
    sidecars = _sidecars(features)
    return len(sidecars) / int(sidecars[0].name[-len("00000.tfrecord.json") :][:5]) if sidecars else 0


def _row(now: dict[str, float], before: dict[str, float]) -> Iterator[str]:
    """Yields the cells of a row; the cost of an additional image is measured against the row above."""
    yield f"{now['images']:,}"
    yield f"{now['shards']:,}"
    yield f"{now['seconds']:.1f}"
    yield f"{now['cpu_seconds']:.1f}"
    yield f"{now['peak_bytes'] / 1e6:.0f}"
    yield f"{now['engine_bytes'] / 1e6:.0f}" if now["engine_bytes"] else ""
    yield f"{now['manifest_bytes']:,}"
    more = now["images"] - before["images"] if before else 0
    yield f"{1000 * (now['cpu_seconds'] - before['cpu_seconds']) / more:.3f}" if more else ""
    yield f"{(now['peak_bytes'] - before['peak_bytes']) / more:,.0f}" if more else ""


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        extract(int(sys.argv[3]), pathlib.Path(sys.argv[4]), sys.argv[2])
    elif sys.argv[1] == "--killed":
        killed(int(sys.argv[2]))
    elif sys.argv[1] == "--flink":
        main(map(int, sys.argv[2:]), "flink")
    else:
        main(map(int, sys.argv[1:]), "in_process")
