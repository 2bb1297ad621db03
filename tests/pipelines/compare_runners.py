"""Extracts the benchmark's real images on every runner, compares all files and prints a table.

`make compare_runners` runs this. It needs the folder `shared` beside the project.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from tests.pipelines import runners, services
from tests.pipelines.squares import files

SHARED = services.ROOT.parent / "shared"
WEIGHTS = SHARED / "weights" / "mobilenet_v2_imagenet_notop.weights.h5"
SIZE = 96
LAYER = "block_13_expand_relu"


def main() -> None:
    """Runs all runners, or those that are named."""
    if not WEIGHTS.exists():
        print(f"skipped: needs the real images and weights, and there is no {WEIGHTS}")
        return
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        performer = folder / "mobilenet.keras"
        _performer().save(performer)
        print("| runner | images | dead letters | seconds | SHA-256 of the list of shards |")
        print("| --- | ---: | ---: | ---: | --- |", flush=True)
        made = [_row(runner, performer, folder / runner) for runner in sys.argv[1:] or runners.RUNNERS]
    found = [content for content in made if content is not None]
    if any(content != found[0] for content in found):
        raise SystemExit("the runners do NOT make the same files")
    print(f"\n{len(found)} runners made the same {len(found[0])} files")


def _row(runner: str, performer: pathlib.Path, workdir: pathlib.Path) -> dict[str, bytes] | None:
    if reason := runners.missing(runner):
        print(f"| {runner} | skipped: {reason} | | | |", flush=True)
        return None
    workdir.mkdir()
    arguments = [
        f"--workdir={workdir}",
        "--dataset=animal_part",
        f"--data_dir={SHARED / 'datasets'}",
        f"--performer={performer}",
        f"--image_size={SIZE}",
        f"--target_layer={LAYER}",
        "--distilled_layers=pooled",
    ]
    with runners.options(runner) as options:
        start = time.perf_counter()
        runners.extract([*arguments, *options], workdir / "log")
        seconds = time.perf_counter() - start
    made = files(workdir / "features")
    manifest = json.loads(made["manifest.json"])
    assert manifest["inputs"] == manifest["outputs"] + manifest["dead_letters"]
    shards = hashlib.sha256(json.dumps(manifest["shards"], sort_keys=True).encode()).hexdigest()
    print(
        f"| {runner} | {manifest['inputs']} | {manifest['dead_letters']} | {seconds:.0f} | `{shards[:16]}` |",
        flush=True,
    )
    return made


def _performer() -> keras.Model:
    """MobileNetV2 with ImageNet's weights; its head, which nobody looks at, is random."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    backbone = keras.applications.MobileNetV2(input_tensor=scaled, include_top=False, weights=str(WEIGHTS))
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(backbone.output)
    return keras.Model(inputs, keras.layers.Dense(5, activation="softmax", name="scores")(x))


if __name__ == "__main__":
    main()
