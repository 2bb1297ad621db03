"""Measures the performer alone on a folder of images, as the reference for extraction.

python -m benchmarks.bare_model PERFORMER IMAGE_SIZE TARGET DISTILLED,LAYERS DIR BATCH_SIZE decoded|encoded

Prints images, seconds and seconds of CPU as JSON. Loading the model and its first batch are left out; with
`decoded`, so is decoding the images.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import numpy as np

from tf_explainer.config import DatasetConfig, PerformerConfig, WorkDir
from tf_explainer.datasets.registry import open_source
from tf_explainer.datasets.source import UnreadableImageError
from tf_explainer.images.crop import crop_to_object
from tf_explainer.performer.performer import load_performer


def main(
    performer: str, image_size: int, target: str, distilled: str, folder: str, batch_size: int, decoded: bool
) -> None:
    """Measures, and prints."""
    config = PerformerConfig(
        performer=performer,
        image_size=image_size,
        target_layer=target,
        distilled_layers=tuple(filter(None, distilled.split(","))),
    )
    model = load_performer(config, WorkDir(root="")).feature_model()
    model.predict_on_batch(np.zeros((batch_size, image_size, image_size, 3), np.uint8))
    batches = _batches(folder, image_size, batch_size)
    if decoded:
        batches = iter(list(batches))
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    for batch in batches:
        model.predict_on_batch(batch)
        count += len(batch)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"images": count, "seconds": seconds, "cpu_seconds": cpu}))  # noqa: T201


def _batches(folder: str, image_size: int, batch_size: int) -> Iterator[np.ndarray]:
    source = open_source(DatasetConfig(dataset="folder", data_dir=folder))
    batch = []
    for _, record in source.read(list(source.references())):
        if isinstance(record, UnreadableImageError):
            raise record
        batch.append(crop_to_object(record, image_size))
        if len(batch) == batch_size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]),
        sys.argv[3],
        sys.argv[4],
        sys.argv[5],
        int(sys.argv[6]),
        sys.argv[7] == "decoded",
    )
