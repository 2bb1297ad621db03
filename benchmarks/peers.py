"""Compares the project with others, and prints the tables of docs/performance.md, "Beside the peers".

make benchmark_peers ARGS="WORKDIR PHOTOGRAPHS [--rounds=5] [--images=16]"

Compares Grad-CAM of xplique and tf-keras-vis with `explain`, an interpretable layer in PyTorch with ours, and
lists of floats and HDF5 with our encodings. Everything runs in one process on one core; values to compare are
measured in turn; medians over the rounds.
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterable, Iterator

import tensorflow as tf
import torch

from benchmarks import photographs, torch_icnn, training_parts
from benchmarks.encodings import StoredAnew
from benchmarks.gradcam_peers import Explain, Peers, Pixels, agreement
from benchmarks.interleaving import Cost, costs
from benchmarks.stores import stores
from benchmarks.vgg_explainer import BATCH, SHAPE
from tf_explainer.config import WorkDir
from tf_explainer.datasets.image_files import read_images
from tf_explainer.explanation.finished_run import load_run

_ONE_BY_ONE = 4


def explaining(workdir: str, images: list[pathlib.Path], rounds: int) -> Iterator[str]:
    """Yields the table of methods that explain photographs, starting from pixels."""
    peers = Peers(load_run(workdir))
    pixels: Pixels = [image for _, image in read_images(list(map(str, images)))]
    few = pixels[:_ONE_BY_ONE]
    explainers = peers.explainers()
    works = {
        (name, how): functools.partial(_explain, explain, of)
        for name, explain in explainers.items()
        for how, of in (("one", [[each] for each in few]), ("batch", [pixels]))
    }
    named = {f"{name}/{how}": work for (name, how), work in works.items()}
    taken = costs(named, rounds)
    yield from _head(
        "", "ms of CPU an image, one by one", f"in a batch of {len(pixels)}", "/ a pass", "by the clock"
    )
    pass_ = taken["one pass of the performer/batch"]
    for name in explainers:
        one, batch = taken[f"{name}/one"], taken[f"{name}/batch"]
        yield _line(
            name,
            f"{1000 * one.cpu / len(few):.0f}",
            f"{1000 * batch.cpu / len(pixels):.0f}",
            f"{batch.cpu / pass_.cpu:.2f}",
            f"{batch.clock / pass_.clock:.2f}",
        )
    yield f"\nThe maps of both Grad-CAMs correlate by {agreement(peers, pixels):.3f} (median).\n"


def _explain(explain: Explain, batches: Iterable[Pixels]) -> None:
    for batch in batches:
        explain(batch)


def layers(rounds: int) -> Iterator[str]:
    """Yields the table of the interpretable layer's parts, beside each framework's own convolution."""
    parts = training_parts.interpretable_parts(BATCH, SHAPE)
    taken = costs(
        {
            "ours, conv": training_parts.plain_conv(BATCH, SHAPE),
            "PyTorch, conv": torch_icnn.plain_conv(BATCH, SHAPE),
            "ours, parts": parts,
            "ours by XLA, parts": tf.function(parts, jit_compile=True),
            "PyTorch, parts": torch_icnn.interpretable_parts(BATCH, SHAPE),
        },
        rounds,
    )
    yield from _head("", "parts, ms of CPU", "conv, ms of CPU", "parts / conv, by CPU time", "by the clock")
    for name, of in (("ours", "ours"), ("ours by XLA", "ours"), ("PyTorch", "PyTorch")):
        own, conv = taken[f"{name}, parts"], taken[f"{of}, conv"]
        yield _line(
            name,
            f"{1000 * own.cpu:.0f}",
            f"{1000 * conv.cpu:.0f}",
            f"{own.cpu / conv.cpu:.3f}",
            f"{own.clock / conv.clock:.3f}",
        )


def storing(features_dir: str, rounds: int) -> Iterator[str]:
    """Yields the table of stores."""
    stored = StoredAnew(features_dir)
    count = len(stored.features)
    with tempfile.TemporaryDirectory() as directory:
        all_stores = stores(directory, stored)
        works = {f"{name}/write": store.write for name, store in all_stores.items()} | {
            f"{name}/read": store.read for name, store in all_stores.items()
        }
        taken = costs(works, rounds)
        yield from _head(
            f"{count} images",
            "bytes an image",
            "/ float32",
            "write, ms of CPU",
            "read, images/s of CPU",
            "by the clock",
        )
        for name, store in all_stores.items():
            read: Cost = taken[f"{name}/read"]
            yield _line(
                name,
                f"{store.bytes:,.0f}",
                f"{store.bytes / store.float32_bytes:.4f}",
                f"{1000 * taken[f'{name}/write'].cpu / count:.2f}",
                f"{count / read.cpu:,.0f}",
                f"{count / read.clock:,.0f}",
            )


def _head(*cells: str) -> Iterator[str]:
    yield "\n" + _line(*cells)
    yield _line("---", *["---:"] * (len(cells) - 1))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workdir", help="work directory of a finished run")
    parser.add_argument(
        "photographs", type=pathlib.Path, help="folder of .JPEG files; if missing, pictures are drawn"
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    parser.add_argument("--images", type=int, default=16, help="number of images in an explained batch")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        images = photographs.originals(pathlib.Path(directory, "drawn"), options.photographs)
        for table in (
            storing(WorkDir(root=options.workdir).features, options.rounds),
            layers(options.rounds),
            explaining(options.workdir, images[: options.images], options.rounds),
        ):
            for text in table:
                sys.stdout.write(text)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
